"""How providers do of late, by the log of requests and the attempts of routes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brokle.engines.analytics import Query

# A call that no provider answered well names only what was asked for.
_ASKED = "if(provider != '', provider, splitByChar('/', model_requested)[1]) AS asked"
_DIRECT = (
    "countIf(route = '') AS calls",
    "countIf(route = '' AND (status >= 500 OR status = 429)) AS errors",
    "quantileIf(0.95)(latency_ms, status < 400) AS p95_ms",
)
_TRIED = ("count() AS calls", "countIf(cause IN ('error', 'rate_limit', 'timeout')) AS errors")


@dataclass(frozen=True, slots=True)
class Health:
    """Of one provider: `calls` counts every attempt; `p95_ms` is of calls that went well."""

    calls: int = 0
    errors: int = 0
    p95_ms: float = 0.0

    @property
    def error_share(self) -> float:
        return self.errors / self.calls if self.calls else 0.0


UNKNOWN = Health()


def list_health(*, organization_id: str, environment_id: str, since: datetime) -> dict[str, Health]:
    """By the name that callers write before the slash."""

    def lately(table: str, *columns: str) -> Query:
        query = Query(table=table, organization_id=organization_id, columns=columns)
        query = query.where("environment_id = {environment_id:String}", environment_id=environment_id)
        return query.where("at >= {since:DateTime64(6, 'UTC')}", since=since)

    direct = lately("request_logs", _ASKED, *_DIRECT).where("attempts > 0").grouped("asked").rows()
    tried = lately("ai_routing_metrics", "provider AS asked", *_TRIED).grouped("asked").rows()
    found: dict[str, Health] = {row["asked"]: _health(row) for row in direct}
    for row in tried:
        known = found.get(row["asked"], UNKNOWN)
        calls, errors = known.calls + int(row["calls"]), known.errors + int(row["errors"])
        found[row["asked"]] = Health(calls, errors, known.p95_ms)
    return found


def _health(row: dict[str, Any]) -> Health:
    p95 = row["p95_ms"]
    known = 0.0 if p95 is None or p95 != p95 else float(p95)  # noqa: PLR0124 - NaN of an empty set
    return Health(int(row["calls"]), int(row["errors"]), known)
