"""Reads of single requests: everything kept of one, its attempts, and what a log can be narrowed to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from brokle.engines.analytics import Query
from brokle.kernel.money import Money

_CHOICES = 500
# One request's attempts are written with it; the table is ordered by time, so a span keeps the search short.
_AROUND = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the requests of a span have in them, most frequent first."""

    models: list[str]
    providers: list[str]
    routes: list[str]
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Tokens:
    """In buckets that do not overlap; reasoning is a part of the output."""

    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.output


@dataclass(frozen=True, slots=True)
class RequestDetail:
    id: str
    at: datetime
    endpoint: str
    model_requested: str
    model: str
    provider: str
    route: str
    is_stream: bool
    status: int
    error_code: str
    attempts: int
    cache: str
    tokens: Tokens
    cost_nanos: int
    price_version: str
    is_own_key: bool
    latency_ms: float
    ttft_ms: float
    overhead_ms: float
    key_id: str
    trace_id: str
    user: str
    session: str
    tags: Mapping[str, str]
    ip: str
    user_agent: str

    @property
    def cost(self) -> Money:
        return Money.of_nanos(self.cost_nanos)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call on a route."""

    number: int
    target: str
    status: int
    cause: str
    latency_ms: float
    strategy: str
    route_version: int


def find_request(*, organization_id: str, environment_id: str, request_id: str) -> RequestDetail | None:
    query = _about("request_logs", organization_id, environment_id, request_id)
    return next((_detail(row) for row in query.ordered("at DESC", limit=1).rows()), None)


def list_attempts(*, organization_id: str, environment_id: str, request: RequestDetail) -> list[Attempt]:
    """Those of a call on a route, in their order; of a call to a model nothing is kept but their number."""
    query = _about("ai_routing_metrics", organization_id, environment_id, request.id).where(
        "at BETWEEN {since:DateTime64(6, 'UTC')} AND {until:DateTime64(6, 'UTC')}",
        since=request.at - _AROUND,
        until=request.at + _AROUND,
    )
    return [_attempt(row) for row in query.ordered("attempt ASC", limit=100).rows()]


def list_choices(*, organization_id: str, environment_id: str, since: datetime) -> Choices:
    columns = ("provider", "model", "route", "key_id", "count() AS times")
    query = Query(table="request_logs", organization_id=organization_id, columns=columns)
    query = query.where("environment_id = {environment_id:String}", environment_id=environment_id)
    query = query.where("at >= {since:DateTime64(6, 'UTC')}", since=since)
    rows = query.grouped("provider", "model", "route", "key_id").ordered("times DESC", limit=_CHOICES).rows()

    def once(values: list[str]) -> list[str]:
        return [value for value in dict.fromkeys(values) if value]

    return Choices(
        models=once([f"{row['provider']}/{row['model']}" for row in rows if row["provider"]]),
        providers=once([row["provider"] for row in rows]),
        routes=once([row["route"] for row in rows]),
        keys=once([row["key_id"] for row in rows]),
    )


def _about(table: str, organization_id: str, environment_id: str, request_id: str) -> Query:
    query = Query(table=table, organization_id=organization_id)
    query = query.where("environment_id = {environment_id:String}", environment_id=environment_id)
    return query.where("request_id = {request_id:String}", request_id=request_id)


def _detail(row: dict[str, Any]) -> RequestDetail:
    at: datetime = row["at"]
    tokens = Tokens(
        row["input_tokens"],
        row["cache_read_tokens"],
        row["cache_write_tokens"],
        row["output_tokens"],
        row["reasoning_tokens"],
    )
    as_they_are = (
        *("endpoint", "model_requested", "model", "provider", "route", "status", "error_code", "attempts", "cache"),
        *(
            "price_version",
            "is_own_key",
            "latency_ms",
            "ttft_ms",
            "overhead_ms",
            "key_id",
            "trace_id",
            "tags",
            "ip",
            "user_agent",
        ),
    )
    return RequestDetail(
        id=row["request_id"],
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        is_stream=row["stream"],
        tokens=tokens,
        cost_nanos=int(row["cost_usd_nanos"]),
        user=row["user_id"],
        session=row["session_id"],
        **{name: row[name] for name in as_they_are},
    )


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(
        number=row["attempt"],
        target=f"{row['provider']}/{row['model']}",
        status=row["status"],
        cause=row["cause"],
        latency_ms=row["latency_ms"],
        strategy=row["strategy"],
        route_version=row["route_version"],
    )
