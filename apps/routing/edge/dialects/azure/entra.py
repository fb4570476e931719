"""Microsoft's Entra for services: an application's secret is given for a token of an hour.

The client credentials flow of the Microsoft identity platform.
"""

from typing import ClassVar, Final
from urllib.parse import quote, urlencode

import msgspec

_SCOPE: Final = "https://cognitiveservices.azure.com/.default"


class Application(msgspec.Struct):
    """`authority` is another one in national clouds, and so may `scope` be."""

    service: ClassVar[str] = "Entra"
    asker: ClassVar[str] = "application"

    tenant_id: str
    client_id: str
    client_secret: str
    authority: str = "https://login.microsoftonline.com"
    scope: str = _SCOPE

    @property
    def address(self) -> str:
        return f"{self.authority.rstrip('/')}/{quote(self.tenant_id, safe='')}/oauth2/v2.0/token"

    def form(self, now_s: float) -> bytes:
        said = {"client_id": self.client_id, "client_secret": self.client_secret, "scope": self.scope}
        return urlencode({"grant_type": "client_credentials", **said}).encode()


_decode: Final = msgspec.json.Decoder(Application).decode


def find_application(secret: str) -> Application | None:
    """None for what is none: it is taken for a key, or for a token that somebody else fetched."""
    try:
        return _decode(secret)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
