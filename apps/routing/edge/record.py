"""One gateway request as it is kept: a line of `request_logs`, and what billing needs of it."""

from time import gmtime, strftime
from typing import Any, Final

import msgspec


class RequestRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Members are the columns of `request_logs`; the column defaults fill what is omitted."""

    request_id: str
    organization_id: str
    project_id: str
    environment_id: str
    key_id: str
    at: str
    endpoint: str
    model_requested: str
    model: str
    provider: str
    status: int
    latency_ms: float
    trace_id: str = ""
    span_id: str = ""
    route: str = ""
    stream: bool = False
    error_code: str = ""
    attempts: int = 0
    cache: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd_nanos: int = 0
    price_version: str = ""
    is_own_key: bool = False
    """Whether the caller brought the provider's key, and so pays the provider alone."""
    ttft_ms: float = 0.0
    overhead_ms: float = 0.0
    user_id: str = ""
    session_id: str = ""
    tags: dict[str, str] = {}
    ip: str = ""
    user_agent: str = ""


class AttemptRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One attempt on a route, as a row of `ai_routing_metrics`: who was asked, and why not where it failed."""

    request_id: str
    attempt: int
    organization_id: str
    project_id: str
    environment_id: str
    at: str
    route: str
    route_version: int = 0
    strategy: str = ""
    provider: str = ""
    model: str = ""
    status: int = 0
    cause: str = ""
    latency_ms: float = 0.0
    is_chosen: bool = False
    cost_usd_nanos: int = 0


KEPT = frozenset({"responses.retrieve", "responses.delete", "responses.input_items"})
"""Calls about an answer that was given, and paid, before."""
encode = msgspec.json.Encoder().encode
_NS: Final = 1_000_000_000
_second: tuple[int, str] = 0, ""


def moment_text(at_ns: int) -> str:
    """UTC to the microsecond, as ClickHouse reads it. The text of a second serves all calls of that second."""
    global _second  # noqa: PLW0603 - one per process
    second, rest = divmod(at_ns, _NS)
    known, text = _second
    if known != second:
        text = strftime("%Y-%m-%d %H:%M:%S", gmtime(second))
        _second = second, text
    return f"{text}.{rest // 1000:06d}"


def meter(record: dict[str, Any]) -> dict[str, Any] | None:
    """One request is one unit.

    Refused ones are nobody's to pay, nor is looking at what was paid before; what broke off costs what came until then.
    """
    is_refused = record["status"] >= 400 and not record.get("cost_usd_nanos")
    if is_refused or record["endpoint"] in KEPT:
        return None
    return {
        "id": record["request_id"],
        "organization_id": record["organization_id"],
        "project_id": record["project_id"],
        "environment_id": record["environment_id"],
        "key_id": record["key_id"],
        "meter": "gateway.requests",
        "quantity": 1,
        "cost_usd_nanos": record.get("cost_usd_nanos", 0),
        "is_own_key": record.get("is_own_key", False),
        "subject": record["model"],
        "at": record["at"],
    }
