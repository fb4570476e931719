"""What budgets have spent, counted anew from what was recorded, when Redis has lost it.

Calls under a hard budget are refused meanwhile. What an organization, a project or a key spent stands in
`usage_record`; what users, routes, models and providers did, in the request log.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.db.models import Sum
from redis.exceptions import RedisError

from apps.orgs import facade as orgs
from apps.routing.models import Measured, Subject, UsageLimit
from brokle.edge.budgets import COUNTED, counter_of, name_of_key, start_of
from brokle.edge.limits import Limit
from brokle.engines.analytics import Query
from brokle.engines.state import state
from brokle.ground.models import UsageRecord
from brokle.kernel.clock import utc_now

_SHIPPED_S: Final = 3.0
"""Until what was called before has left the spools."""
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
_IN_LOG: Final = {
    Subject.USER: "user_id",
    Subject.ROUTE: "route",
    Subject.MODEL: "concat(provider, '/', model)",
    Subject.PROVIDER: "provider",
}
# What went on being booked is in the log too, so the larger of both is the truth.
_BOOK = """
for i = 1, #KEYS do
  local a = (i - 1) * 2
  if tonumber(redis.call('HGET', KEYS[i], 'spent') or '0') < tonumber(ARGV[a+1]) then
    redis.call('HSET', KEYS[i], 'spent', ARGV[a+1])
  end
  redis.call('PEXPIREAT', KEYS[i], ARGV[a+2])
end
"""


class Spent(NamedTuple):
    """`name` as the budget is called, without its span."""

    name: str
    window: str
    nanos: int


class Recounting:
    def __init__(self) -> None:
        self._missing_since = 0.0

    def step(self) -> int:
        try:
            if state().exists(COUNTED):
                self._missing_since = 0.0
                return 0
            now_s = time.monotonic()
            self._missing_since = self._missing_since or now_s
            if now_s - self._missing_since >= _SHIPPED_S:
                recount_budgets(now=utc_now())
        except RedisError:
            self._missing_since = 0.0
        return 0


def recount_budgets(*, now: datetime) -> int:
    """Twice is once."""
    found = [spent for spent in (*_of_keys(now), *_of_limits(now)) if spent.nanos]
    book = state().register_script(_BOOK)
    for spent in found:
        counter, end_ms = counter_of(spent.name, spent.window, now)
        book(keys=[Limit("budget", counter, 0, end_ms).key], args=[spent.nanos, end_ms])
    state().set(COUNTED, now.isoformat())
    return len(found)


def _of_keys(now: datetime) -> Iterator[Spent]:
    """One query for all keys of an organization that count by the same calendar."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for budget in orgs.list_key_budgets():
        keys[budget.organization_id, budget.window].add(budget.key_id)
    for (organization_id, window), ids in keys.items():
        for key_id, nanos in _booked(organization_id, start_of(window, now) or _BEGINNING, "key_id"):
            if key_id in ids:
                yield Spent(name_of_key(key_id), window, nanos)


def _of_limits(now: datetime) -> Iterator[Spent]:
    for limit in UsageLimit.objects.across_organizations().filter(measured=Measured.USD):
        since = start_of(limit.window, now) or _BEGINNING
        for whose, nanos in _spent_by_each(limit, since):
            if whose and limit.only in {"", whose}:
                yield Spent(f"{limit.id}:{whose}", limit.window, nanos)


def _spent_by_each(limit: UsageLimit, since: datetime) -> Iterator[tuple[str, int]]:
    if limit.subject in _IN_LOG:
        yield from _logged(limit, since)
        return
    column = {Subject.KEY: "key_id", Subject.PROJECT: "project_id"}.get(Subject(limit.subject), "organization_id")
    yield from _booked(limit.organization_id, since, column, limit.project_id)


def _booked(
    organization_id: str, since: datetime, column: str, project_id: str | None = None
) -> Iterator[tuple[str, int]]:
    rows = UsageRecord.objects.filter(organization_id=organization_id, at__gte=since)
    if project_id:
        rows = rows.filter(project_id=project_id)
    yield from rows.values_list(column).annotate(nanos=Sum("cost_usd_nanos"))


def _logged(limit: UsageLimit, since: datetime) -> Iterator[tuple[str, int]]:
    query: Any = Query(
        table="request_logs",
        organization_id=limit.organization_id,
        columns=(f"{_IN_LOG[Subject(limit.subject)]} AS whose", "sum(cost_usd_nanos) AS nanos"),
        limit=10_000_000,
    ).where("at >= {since:DateTime64(6, 'UTC')}", since=since.replace(tzinfo=None))
    if limit.project_id:
        query = query.where("project_id = {project:String}", project=limit.project_id)
    for row in query.grouped("whose").rows():
        yield row["whose"], int(row["nanos"])
