"""How a key is sent: most providers take a bearer, the rest have a header or a word of their own."""

from typing import Final

_SCHEMES: Final = {"bearer": "Bearer", "token": "Token", "key": "Key", "api-key-scheme": "Api-Key"}


def key_headers(auth: str, secret: str) -> dict[str, str]:
    """`auth` as the catalogue says it; any other word is the name of the header that holds the key alone."""
    if not secret or auth == "none":
        return {}
    scheme = _SCHEMES.get(auth or "bearer")
    return {"authorization": f"{scheme} {secret}"} if scheme else {auth: secret}
