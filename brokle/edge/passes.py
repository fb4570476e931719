"""A person's own way to the gateway: signed, for one environment, for a minute, and only beside their session's cookie.

Nothing of it is kept. The signature is all there is to check, so no process asks anybody; see ADR 0011.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Iterable
from typing import Final

import msgspec

from brokle.edge.principal import KeyRecord, Principal

SESSION_COOKIE: Final = "brokle_session"
LIFE_S: Final = 60
PREFIX: Final = b"bk_pass_"
SENT: Final = b"Bearer " + PREFIX
"""How the console's pages send one, and the only way it counts."""
_SCOPES: Final = ["gateway"]
_COOKIE: Final = SESSION_COOKIE.encode()


class Pass(msgspec.Struct, array_like=True, frozen=True):
    """Who, where, until when, and the mark of the session it was written for. Append members, never reorder."""

    user_id: str
    organization_id: str
    project_id: str
    environment_id: str
    expires_at_s: int
    session: bytes


_decoder: Final = msgspec.msgpack.Decoder(Pass)
_encode: Final = msgspec.msgpack.Encoder().encode


def write_pass(
    key: bytes, *, user_id: str, organization_id: str, project_id: str, environment_id: str, session_key: str
) -> str:
    expires_at_s = int(time.time()) + LIFE_S
    mark = _mark(key, session_key.encode())
    said = _encode(Pass(user_id, organization_id, project_id, environment_id, expires_at_s, mark))
    return (PREFIX + _text(said) + b"." + _text(_sign(key, said))).decode()


class Passes:
    """Reads them. Fallback keys serve while the root secret is being rotated."""

    __slots__ = ("_keys",)

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = keys

    def find(self, token: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Principal | None:
        """None for what is forged, altered, or sent without the session it belongs to."""
        said, _, signature = token.removeprefix(PREFIX).partition(b".")
        try:
            body, signed = _bytes(said), _bytes(signature)
        except (binascii.Error, ValueError):
            return None
        for key in self._keys:
            if hmac.compare_digest(_sign(key, body), signed):
                return _principal(key, _decoder.decode(body), headers)
        return None


def _principal(key: bytes, said: Pass, headers: Iterable[tuple[bytes, bytes]]) -> Principal | None:
    """Named by the person's id where others have a key's: each person is counted for themselves."""
    if not any(hmac.compare_digest(_mark(key, session), said.session) for session in _sessions(headers)):
        return None
    place = (said.organization_id, said.project_id, said.environment_id)
    return Principal(KeyRecord(said.user_id, *place, _SCOPES, said.expires_at_s))


def _sessions(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """HTTP/2 may send cookies in several headers."""
    pairs = (pair.strip() for name, value in headers if name == b"cookie" for pair in value.split(b";"))
    return [value for name, _, value in (pair.partition(b"=") for pair in pairs) if name == _COOKIE]


def _sign(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, b"pass:" + said, "sha256")


def _mark(key: bytes, session_key: bytes) -> bytes:
    return hmac.digest(key, b"session:" + session_key, "sha256")[:16]


def _text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
