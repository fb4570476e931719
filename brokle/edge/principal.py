"""Who is calling: one HMAC, one dictionary lookup."""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

from brokle.edge.limits import Limit, pack_check
from brokle.edge.snapshot import Kind, Snapshot
from brokle.kernel.errors import Forbidden, OrganizationSuspended, Unauthorized

SCOPES: Final = ("gateway", "ingest", "decide", "invoke", "admin")
_KEY_HEADERS: Final = (b"x-api-key", b"api-key", b"x-goog-api-key")
_MAX_KEY_BYTES: Final = 512


class KeyRecord(msgspec.Struct, array_like=True, frozen=True):
    """An API key as compiled for the edge. Append fields, never reorder: older processes read newer records."""

    key_id: str
    organization_id: str
    project_id: str
    environment_id: str
    scopes: list[str]
    expires_at_s: int = 0
    requests_per_minute: int = 0
    allowed_ips: list[str] = []
    allowed_origins: list[str] = []
    allowed_models: list[str] = []
    tokens_per_minute: int = 0
    budget_usd_micros: int = 0
    budget_window: str = "month"
    is_suspended: bool = False


class Whereabouts:
    """From where a key may be used. A caller without an origin is no browser, and its address decides alone."""

    __slots__ = ("_networks", "_origins")

    def __init__(self, record: KeyRecord) -> None:
        self._networks = [ip_network(cidr, strict=False) for cidr in record.allowed_ips]
        self._origins = frozenset(origin.encode() for origin in record.allowed_origins)

    def check(self, client: tuple[str, int] | None, headers: Mapping[bytes, bytes]) -> None:
        if self._networks and not self._allows(client[0] if client else ""):
            raise Forbidden("This API key may not be used from this address")
        origin = headers.get(b"origin")
        if self._origins and origin is not None and origin not in self._origins:
            raise Forbidden("This API key may not be used from this origin")

    def _allows(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        plain = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(plain in network for network in self._networks)


class Principal:
    __slots__ = (
        "allowed_models",
        "budget_usd_micros",
        "budget_window",
        "environment_id",
        "expires_at_s",
        "is_metered",
        "is_suspended",
        "key_id",
        "organization_id",
        "packed_limits",
        "project_id",
        "rates",
        "requests_per_minute",
        "scopes",
        "tokens_per_minute",
        "whereabouts",
    )

    def __init__(self, record: KeyRecord) -> None:
        self.key_id = record.key_id
        self.organization_id = record.organization_id
        self.project_id = record.project_id
        self.environment_id = record.environment_id
        self.scopes = frozenset(record.scopes)
        self.expires_at_s = record.expires_at_s
        self.requests_per_minute = record.requests_per_minute
        self.rates: tuple[Limit, ...] = ()
        if record.requests_per_minute:
            self.rates = (Limit("rate", f"rpm:{record.key_id}", record.requests_per_minute, 60_000),)
        self.allowed_models = frozenset(record.allowed_models)
        self.tokens_per_minute = record.tokens_per_minute
        self.budget_usd_micros = record.budget_usd_micros
        self.budget_window = record.budget_window
        self.is_metered = bool(record.tokens_per_minute or record.budget_usd_micros)
        self.is_suspended = record.is_suspended
        self.whereabouts = Whereabouts(record) if record.allowed_ips or record.allowed_origins else None
        self.packed_limits = pack_check(self.rates) if self.rates else b""


_decoder = msgspec.msgpack.Decoder(KeyRecord)


def decode_key(raw: bytes) -> Principal:
    return Principal(_decoder.decode(raw))


def encode_key(record: KeyRecord) -> bytes:
    return msgspec.msgpack.encode(record)


def digest(pepper: bytes, key: bytes) -> str:
    return hmac.digest(pepper, key, "sha256").hex()


class Keys:
    """API keys of this installation. Fallback peppers serve while the root secret is being rotated."""

    __slots__ = ("_kind", "_peppers")

    def __init__(self, snapshot: Snapshot, peppers: list[bytes]) -> None:
        self._kind: Kind[Principal] = snapshot.register("key", decode_key)
        self._peppers = peppers

    def find(self, key: bytes) -> Principal | None:
        for pepper in self._peppers:
            found = self._kind.find(hmac.digest(pepper, key, "sha256").hex())
            if found is not None:
                return found
        return None

    def authenticate(self, headers: Mapping[bytes, bytes], scope: str) -> Principal:
        return admit(headers, scope, self.find)


def admit(headers: Mapping[bytes, bytes], scope: str, find: Callable[[bytes], Principal | None]) -> Principal:
    """The one rule of both planes; they differ only in where a key is found."""
    key = presented_key(headers)
    if not key:
        raise Unauthorized("Send an API key: `Authorization: Bearer bk_…`")
    principal = find(key)
    if principal is None:
        raise Unauthorized("This API key is not known here; it may have been revoked")
    if principal.is_suspended:
        raise OrganizationSuspended("The organization of this API key is suspended; its members see why in the console")
    if principal.expires_at_s and principal.expires_at_s < time.time():
        raise Unauthorized("This API key has expired")
    if scope not in principal.scopes:
        raise Forbidden(f"This API key lacks the scope `{scope}`")
    return principal


def is_presented(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the caller means to be known by a key, be it a wrong one."""
    return b"authorization" in headers or any(headers.get(name) for name in _KEY_HEADERS)


def presented_key(headers: Mapping[bytes, bytes]) -> bytes:
    """The key as sent, or empty. Anything that cannot be one of ours never reaches the hash."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        kind, _, value = authorization.partition(b" ")
        kind = kind.lower()
        if kind == b"bearer":
            return _plausible(value.strip())
        if kind == b"basic":
            return _from_basic(value)
    for name in _KEY_HEADERS:
        value = headers.get(name, b"")
        if value:
            return _plausible(value)
    return b""


def _plausible(value: bytes) -> bytes:
    return value if value.startswith(b"bk_") and len(value) <= _MAX_KEY_BYTES else b""


def _from_basic(value: bytes) -> bytes:
    try:
        user, _, password = base64.b64decode(value, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b""
    return _plausible(user) or _plausible(password)
