"""How a caller steers one request: by header, or by a `brokle` member in the body; what the body says counts more."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from brokle.kernel.errors import BadRequest
from brokle.kernel.tracing import parse_traceparent

_LONGEST: Final = 200
_LARGEST_TIMEOUT_MS: Final = 3_600_000
# How coding agents name their sessions: Claude Code, and Codex, now and before.
_SESSIONS: Final = (b"x-claude-code-session-id", b"session-id", b"session_id")
# Other gateways' names for the same wish, so that their callers need change nothing.
_ALIASES: Final[dict[str, tuple[bytes, ...]]] = {
    "user": (b"x-brokle-user", b"x-litellm-end-user-id"),
    "session": (b"x-brokle-session", b"x-litellm-session-id", *_SESSIONS),
    "trace_id": (b"x-brokle-trace-id", b"x-portkey-trace-id", b"x-litellm-trace-id"),
    "route": (b"x-brokle-route",),
    "timeout_ms": (b"x-brokle-timeout-ms", b"x-portkey-request-timeout"),
    "cache": (b"x-brokle-cache",),
    "cache_ttl": (b"x-brokle-cache-ttl",),
    "cache_namespace": (b"x-brokle-cache-namespace",),
    "metadata": (b"x-brokle-metadata",),
    "echo": (b"x-brokle-echo",),
    "drop_unsupported": (b"x-brokle-drop-unsupported",),
}
_PREFIXES: Final = (b"x-brokle-", b"x-litellm-", b"x-portkey-", *_SESSIONS)


class _Cache(msgspec.Struct):
    mode: str = ""
    ttl: int | None = None
    namespace: str = ""


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    route: str = ""
    timeout_ms: int | None = None
    user: str = ""
    session: str = ""
    trace_id: str = ""
    tags: dict[str, str] = {}
    cache: str | _Cache = ""
    metadata: str | bool = ""
    drop_unsupported: bool = False


_decode: Final = msgspec.json.Decoder(_Said).decode


class Controls:
    __slots__ = (
        "cache",
        "cache_namespace",
        "cache_ttl_s",
        "drops_unsupported",
        "echo",
        "route",
        "session",
        "tags",
        "timeout_s",
        "trace_id",
        "user",
        "wants_metadata",
    )

    def __init__(self) -> None:
        self.route = self.user = self.session = self.trace_id = self.echo = ""
        self.cache = self.cache_namespace = ""
        self.cache_ttl_s: int | None = None
        self.timeout_s: float | None = None
        self.tags: dict[str, str] = {}
        self.wants_metadata = True
        self.drops_unsupported = False


def read_controls(headers: Mapping[bytes, bytes], said: bytes = b"", *, drops_unsupported: bool = False) -> Controls:
    """`said` is the JSON of the `brokle` member, or empty. Raises BadRequest for what makes no sense there."""
    found = Controls()
    found.drops_unsupported = drops_unsupported
    traceparent = headers.get(b"traceparent")
    if traceparent is not None:
        trace = parse_traceparent(traceparent.decode("latin-1"))
        found.trace_id = trace[0] if trace else ""
    if any(name.startswith(_PREFIXES) for name in headers):
        _from_headers(found, headers)
    if said and said != b"null":
        _from_body(found, said)
    return found


def _from_headers(found: Controls, headers: Mapping[bytes, bytes]) -> None:
    def value(name: str) -> str:
        given = next((headers[alias] for alias in _ALIASES[name] if alias in headers), b"")
        return given.decode(errors="replace").strip()[:_LONGEST]

    found.route, found.user, found.session = value("route"), value("user"), value("session")
    found.echo = value("echo")
    found.trace_id = value("trace_id") or found.trace_id
    found.cache, found.cache_namespace = value("cache"), value("cache_namespace")
    found.cache_ttl_s = _whole(value("cache_ttl"), "x-brokle-cache-ttl")
    found.timeout_s = _seconds(_whole(value("timeout_ms"), "x-brokle-timeout-ms"))
    found.wants_metadata = value("metadata") != "off"
    found.drops_unsupported |= value("drop_unsupported") == "true"
    found.tags = _tags(headers)


def _from_body(found: Controls, said: bytes) -> None:
    try:
        given = _decode(said)
    except msgspec.DecodeError as error:
        raise BadRequest(f"`brokle`: {error}", field="brokle") from error
    for name in ("route", "user", "session", "trace_id"):
        if getattr(given, name):
            setattr(found, name, getattr(given, name)[:_LONGEST])
    found.tags |= given.tags
    found.drops_unsupported |= given.drop_unsupported
    if given.timeout_ms is not None:
        found.timeout_s = _seconds(given.timeout_ms)
    if given.metadata != "":
        found.wants_metadata = given.metadata not in {"off", False}
    cache = given.cache if isinstance(given.cache, _Cache) else _Cache(given.cache)
    found.cache = cache.mode or found.cache
    found.cache_namespace = cache.namespace or found.cache_namespace
    found.cache_ttl_s = cache.ttl if cache.ttl is not None else found.cache_ttl_s


def _tags(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """`k=v,…`; LiteLLM's tags have no values, Portkey's metadata is a JSON object."""
    tags: dict[str, str] = {}
    for pair in headers.get(b"x-litellm-tags", b"").decode(errors="replace").split(","):
        if pair.strip():
            tags[pair.strip()[:_LONGEST]] = "true"
    metadata = headers.get(b"x-portkey-metadata")
    if metadata:
        tags |= _object(metadata)
    for pair in headers.get(b"x-brokle-tags", b"").decode(errors="replace").split(","):
        name, _, value = pair.partition("=")
        if name.strip():
            tags[name.strip()[:_LONGEST]] = value.strip()[:_LONGEST]
    return tags


def _object(raw: bytes) -> dict[str, str]:
    try:
        held: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}
    return {str(k)[:_LONGEST]: str(v)[:_LONGEST] for k, v in held.items()} if isinstance(held, dict) else {}


def _whole(text: str, name: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise BadRequest(f"`{name}` is a whole number", field=name)
    return int(text[:12])


def _seconds(timeout_ms: int | None) -> float | None:
    if timeout_ms is None:
        return None
    if not 0 < timeout_ms <= _LARGEST_TIMEOUT_MS:
        raise BadRequest(f"A timeout lies between 1 and {_LARGEST_TIMEOUT_MS} milliseconds", field="timeout_ms")
    return timeout_ms / 1000
