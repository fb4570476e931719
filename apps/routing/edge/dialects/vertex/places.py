"""Where a project of Google's cloud is called, and by whom."""

from typing import Final
from urllib.parse import quote

from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.vertex.tokens import find_account
from brokle.kernel.errors import Unavailable

_GLOBAL: Final = "global"
_WIDE: Final = ("us", "eu")


def place_in_cloud(base_url: str, options: dict[str, str]) -> str:
    """The address of all regions is that of none; those of a whole continent have a form of their own."""
    project, location = options.get("project", ""), options.get("location", _GLOBAL)
    if not project:
        raise Unavailable("This provider has no `project` in its options")
    base = base_url.replace(f"//{_GLOBAL}-", "//", 1)
    for wide in _WIDE:
        base = base.replace(f"//{wide}-aiplatform.googleapis.com", f"//aiplatform.{wide}.rep.googleapis.com", 1)
    return f"{base}/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}"


def token_headers(secret: str) -> dict[str, str]:
    """What is no key file is a token that somebody else fetched."""
    return {} if find_account(secret) is not None else key_headers("bearer", secret)
