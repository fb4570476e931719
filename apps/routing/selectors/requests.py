"""Reads of the request log."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.routing.contracts import RequestRow, Totals
from brokle.engines.analytics import Query
from brokle.kernel.errors import BadRequest
from brokle.kernel.money import Money

_TABLE = "request_logs"
# What a person may sort by → the expression, and its type for the cursor.
SORTS = {
    "time": ("at", "DateTime64(6, 'UTC')"),
    "tokens": ("tokens", "UInt64"),
    "cost": ("cost_usd_nanos", "Int64"),
    "latency": ("latency_ms", "Float64"),
}
_COLUMNS = (
    "request_id",
    "at",
    "model_requested",
    "model",
    "provider",
    "key_id",
    "status",
    "error_code",
    "cache",
    "attempts",
    "route",
    "user_id",
    "cost_usd_nanos",
    "latency_ms",
    "toUInt64(input_tokens) + cache_read_tokens + cache_write_tokens + output_tokens AS tokens",
)
_TOTALS = (
    "count() AS requests",
    "quantileIf(0.95)(latency_ms, status < 400) AS latency_p95_ms",
    "quantileIf(0.95)(ttft_ms, status < 400 AND ttft_ms > 0) AS ttft_p95_ms",
    "sum(cost_usd_nanos) AS cost_usd_nanos",
    "countIf(status >= 400) AS errors",
)
_LATELY = (
    "avg(latency_ms) AS latency",
    "avg(ttft_ms) AS ttft",
    "sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens) AS used",
)


# The kinds of end a person may ask for.
ENDS = {
    "ok": "status < 400",
    "limited": "status = 429",
    "left": "status = 499",
    "refused": "status >= 400 AND status < 500 AND status NOT IN (429, 499)",
    "failed": "status >= 500",
}


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[RequestRow]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which requests are asked for; what is empty narrows nothing. `about` is an id of whatever a request knows."""

    model: str = ""
    provider: str = ""
    route: str = ""
    key: str = ""
    end: str = ""
    about: str = ""

    @property
    def is_any(self) -> bool:
        return self != EVERYTHING

    def of(self, query: Query) -> Query:
        if self.model:
            query = query.where("concat(provider, '/', model) = {model:String}", model=self.model)
        if self.about:
            query = query.where("{about:String} IN (request_id, trace_id, user_id, session_id)", about=self.about)
        for column, value in (("provider", self.provider), ("route", self.route), ("key_id", self.key)):
            if value:
                query = query.where(f"{column} = {{{column}:String}}", **{column: value})
        return query.where(ENDS[self.end]) if self.end in ENDS else query


EVERYTHING = Narrowing()


def _base(organization_id: str, environment_id: str, *columns: str) -> Query:
    query = Query(table=_TABLE, organization_id=organization_id, columns=columns)
    return query.where("environment_id = {environment_id:String}", environment_id=environment_id)


def list_requests(
    *,
    organization_id: str,
    environment_id: str,
    since: datetime,
    sort: str = "time",
    is_descending: bool = True,
    cursor: str = "",
    limit: int = 50,
    narrowing: Narrowing = EVERYTHING,
) -> Page:
    """Keyset pages: the cursor holds the last row's sort value and id, so rows arriving meanwhile shift nothing."""
    expression, kind = SORTS[sort]
    query = _base(organization_id, environment_id, *_COLUMNS).where("at >= {since:DateTime64(6, 'UTC')}", since=since)
    query = narrowing.of(query)
    if cursor:
        value, request_id = _read_cursor(cursor, sort)
        compare = "<" if is_descending else ">"
        query = query.where(
            f"({expression}, request_id) {compare} ({{after:{kind}}}, {{after_id:String}})",
            after=value,
            after_id=request_id,
        )
    direction = "DESC" if is_descending else "ASC"
    found = query.ordered(f"{expression} {direction}", f"request_id {direction}", limit=limit + 1).rows()
    rows = [_row(row) for row in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return Page(rows, _write_cursor(last[expression], last["request_id"]) if last else "")


def find_first_request(organization_id: str, environment_id: str) -> RequestRow | None:
    query = _base(organization_id, environment_id, *_COLUMNS).ordered("at ASC", limit=1)
    return next((_row(row) for row in query.rows()), None)


def get_totals(*, organization_id: str, environment_id: str, since: datetime, until: datetime) -> Totals:
    rows = _span(_base(organization_id, environment_id, *_TOTALS), since, until).rows()
    return _totals(rows[0]) if rows else Totals()


def list_totals(
    *, organization_id: str, environment_id: str, since: datetime, until: datetime, buckets: int
) -> list[Totals]:
    """One per equal slice of the span; slices without requests are there as zeros."""
    width = max(1, int((until - since).total_seconds()) // buckets)
    slot = "intDiv(toUnixTimestamp(at) - {start:Int64}, {width:Int64}) AS slot"
    query = _span(_base(organization_id, environment_id, slot, *_TOTALS), since, until)
    query = query.where("1", start=int(since.timestamp()), width=width)
    found = {int(row["slot"]): _totals(row) for row in query.grouped("slot").rows()}
    return [found.get(index, Totals()) for index in range(buckets)]


@dataclass(frozen=True, slots=True)
class Lately:
    """How a model of a provider did: of calls that went well."""

    latency_ms: float
    ttft_ms: float
    tokens_per_minute: int


def list_lately(
    *, organization_id: str, environment_id: str, since: datetime, until: datetime
) -> dict[tuple[str, str], Lately]:
    """By provider and model, as the provider names it."""
    columns = ("provider", "model", *_LATELY)
    query = _base(organization_id, environment_id, *columns).where("status < 400")
    rows = _span(query, since, until).grouped("provider", "model").rows()
    minutes = max(1.0, (until - since).total_seconds() / 60)
    return {
        (row["provider"], row["model"]): Lately(
            float(row["latency"]), float(row["ttft"]), int(float(row["used"]) / minutes)
        )
        for row in rows
    }


def _span(query: Query, since: datetime, until: datetime) -> Query:
    return query.where(
        "at >= {since:DateTime64(6, 'UTC')} AND at < {until:DateTime64(6, 'UTC')}", since=since, until=until
    )


def _row(row: dict[str, Any]) -> RequestRow:
    at: datetime = row["at"]
    return RequestRow(
        id=row["request_id"],
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        model=f"{row['provider']}/{row['model']}" if row["provider"] else row["model"] or row["model_requested"],
        provider=row["provider"],
        key_id=row["key_id"],
        tokens=row["tokens"] or None,
        cost=Money.of_nanos(int(row["cost_usd_nanos"])),
        duration_ms=row["latency_ms"],
        status=row["status"],
        error_code=row["error_code"],
        cache=row["cache"],
        attempts=row["attempts"],
        route=row["route"],
        user=row["user_id"],
    )


def _totals(row: dict[str, Any]) -> Totals:
    def number(name: str) -> float:
        value = row[name]
        return 0.0 if value is None or value != value else float(value)  # noqa: PLR0124 - NaN of an empty set

    return Totals(
        requests=int(row["requests"]),
        latency_p95_ms=number("latency_p95_ms"),
        ttft_p95_ms=number("ttft_p95_ms"),
        cost=Money.of_nanos(int(row["cost_usd_nanos"])),
        errors=int(row["errors"]),
    )


def _write_cursor(value: Any, request_id: str) -> str:
    text = value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, request_id]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, sort: str) -> tuple[Any, str]:
    """What `_write_cursor` made for this order; anything else would have the engine refuse the query."""
    try:
        value, request_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if sort == "time":
            datetime.fromisoformat(value)
        is_ours = request_id.isprintable() and (sort == "time" or -(2**63) < value < 2**63)
    except (ValueError, TypeError, AttributeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise BadRequest("This page's cursor is not valid; start from the first page", field="cursor")
    return value, request_id
