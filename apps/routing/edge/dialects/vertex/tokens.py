"""Google's OAuth for services: a key signs who asks, Google gives a token for an hour.

RFC 7523, and Google's "Using OAuth 2.0 for Server to Server Applications".
"""

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.routing.edge.dialects.signing import Pairs
from brokle.edge.egress import EgressClient
from brokle.kernel.errors import Unavailable, UpstreamFailed

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LASTS_S: Final = 3600
_EARLY_S: Final = 300.0
_FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_WORDS: Final = 300


class ServiceAccount(msgspec.Struct):
    """A service account's key file, as Google's console gives it."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

    def assertion(self, now_s: float) -> bytes:
        """Raises Unavailable where the key is none."""
        head: dict[str, Any] = {"alg": "RS256", "typ": "JWT"}
        if self.private_key_id:
            head["kid"] = self.private_key_id
        began = int(now_s)
        claims = {"iss": self.client_email, "scope": _SCOPE, "aud": self.token_uri}
        said = b".".join(_part(part) for part in (head, claims | {"iat": began, "exp": began + _LASTS_S}))
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


class _Granted(msgspec.Struct):
    access_token: str = ""
    expires_in: float = _LASTS_S
    error: str = ""
    error_description: str = ""


_decode_account: Final = msgspec.json.Decoder(ServiceAccount).decode
_decode_granted: Final = msgspec.json.Decoder(_Granted).decode


def find_account(secret: str) -> ServiceAccount | None:
    """None for what is no key file: it is taken for a token that somebody else fetched."""
    try:
        return _decode_account(secret)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Tokens:
    """A token is fetched when the first call needs it, and again shortly before it ends; all calls wait for one."""

    __slots__ = ("_account", "_clock", "_egress", "_fetching", "_header", "_renew_at")

    def __init__(self, account: ServiceAccount, egress: EgressClient, clock: Callable[[], float] = time.time) -> None:
        self._account = account
        self._egress = egress
        self._clock = clock
        self._header: Pairs = ()
        self._renew_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def headers(self, url: str, body: bytes) -> Pairs:
        if self._clock() < self._renew_at:
            return self._header
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        await asyncio.shield(self._fetching)
        return self._header

    def _fetched(self, task: "asyncio.Task[None]") -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # whoever waits has been told

    async def _fetch(self) -> None:
        now_s = self._clock()
        form = urlencode({"grant_type": _GRANT, "assertion": self._account.assertion(now_s).decode()}).encode()
        async with self._egress.request("POST", self._account.token_uri, headers=_FORM, body=form) as answer:
            raw = await answer.read(decode=True)
        try:
            granted = _decode_granted(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamFailed(f"Google's token service answered {answer.status} without JSON") from error
        if answer.status != 200 or not granted.access_token:
            why = granted.error_description or granted.error or f"status {answer.status}"
            raise UpstreamFailed(f"Google gave no token to the service account: {why[:_WORDS]}")
        self._header = (("authorization", f"Bearer {granted.access_token}"),)
        self._renew_at = now_s + granted.expires_in - min(_EARLY_S, granted.expires_in / 2)


def _part(members: dict[str, Any]) -> bytes:
    return _unpadded(msgspec.json.encode(members))


def _unpadded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
