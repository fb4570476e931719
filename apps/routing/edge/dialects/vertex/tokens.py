"""Google's OAuth for services: a key signs who asks, Google gives a token for an hour.

RFC 7523, and Google's "Using OAuth 2.0 for Server to Server Applications".
"""

import base64
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.routing.edge.dialects.tokens import LASTS_S
from brokle.kernel.errors import Unavailable

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class ServiceAccount(msgspec.Struct):
    """A service account's key file, as Google's console gives it."""

    service: ClassVar[str] = "Google"
    asker: ClassVar[str] = "service account"

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

    @property
    def address(self) -> str:
        return self.token_uri

    def form(self, now_s: float) -> bytes:
        return urlencode({"grant_type": _GRANT, "assertion": self.assertion(now_s).decode()}).encode()

    def assertion(self, now_s: float) -> bytes:
        """Raises Unavailable where the key is none."""
        head: dict[str, Any] = {"alg": "RS256", "typ": "JWT"}
        if self.private_key_id:
            head["kid"] = self.private_key_id
        began = int(now_s)
        claims = {"iss": self.client_email, "scope": _SCOPE, "aud": self.token_uri}
        said = b".".join(_part(part) for part in (head, claims | {"iat": began, "exp": began + LASTS_S}))
        signature = self._key().sign(said, padding.PKCS1v15(), SHA256())
        return said + b"." + _unpadded(signature)

    def _key(self) -> rsa.RSAPrivateKey:
        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Unavailable("The service account's private key is not a PEM key") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Unavailable("The service account's private key is not an RSA key")
        return key


_decode_account: Final = msgspec.json.Decoder(ServiceAccount).decode


def find_account(secret: str) -> ServiceAccount | None:
    """None for what is no key file: it is taken for a token that somebody else fetched."""
    try:
        return _decode_account(secret)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _part(members: dict[str, Any]) -> bytes:
    return _unpadded(msgspec.json.encode(members))


def _unpadded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
