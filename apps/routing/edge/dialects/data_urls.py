"""Pictures and files as callers write them: a `data:` URL, a web address, or bare base64."""

from apps.routing.edge.conversation import Kind, Media


def read_url(kind: Kind, url: str, *, name: str = "", detail: str = "", cache_ttl: str = "") -> Media:
    if not url.startswith("data:"):
        if "://" in url[:12]:
            return Media(kind, url=url, name=name, detail=detail, cache_ttl=cache_ttl)
        return Media(kind, data=url, name=name, detail=detail, cache_ttl=cache_ttl)
    head, _, data = url[5:].partition(",")
    mime = head.partition(";")[0]
    return Media(kind, mime=mime, data=data, name=name, detail=detail, cache_ttl=cache_ttl)


def data_url(media: Media) -> str:
    return f"data:{media.mime or _usual(media.kind)};base64,{media.data}"


def _usual(kind: Kind) -> str:
    return {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "file": "application/pdf"}[kind]
