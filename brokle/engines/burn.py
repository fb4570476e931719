"""How far a budget is used up, from the very counters that the data plane refuses calls by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError

from brokle.edge.budgets import counter_of, start_of
from brokle.edge.limits import Limit
from brokle.engines.state import state
from brokle.kernel.money import NANOS_PER_MICRO, Money

_SHORTEST = timedelta(hours=1)
_WARNED_AT, _NOT_ENDING = 0.8, datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Budget:
    """So many millionths of a dollar in a window; `name` is what the counter is called, `since` when it was given."""

    name: str
    amount: int
    window: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Burn:
    budget: Budget
    spent_nanos: int
    now: datetime

    @property
    def spent(self) -> Money:
        return Money.of_nanos(self.spent_nanos)

    @property
    def amount(self) -> Money:
        return Money(self.budget.amount)

    @property
    def left(self) -> Money:
        return Money.of_nanos(max(0, self._left_nanos))

    @property
    def share(self) -> float:
        return self.spent_nanos / (self.budget.amount * NANOS_PER_MICRO)

    @property
    def is_spent(self) -> bool:
        return self._left_nanos <= 0

    @property
    def tone(self) -> str:
        if self.is_spent:
            return "bad"
        return "warn" if self.share >= _WARNED_AT else ""

    @property
    def ends_at(self) -> datetime | None:
        """None where the budget is for all time."""
        _, end_ms = counter_of(self.budget.name, self.budget.window, self.now)
        end = datetime.fromtimestamp(end_ms / 1000, UTC)
        return None if end >= _NOT_ENDING else end

    @property
    def runs_out_at(self) -> datetime | None:
        """At the pace of the window so far; None where it lasts until the window ends, or nothing was spent."""
        if self.spent_nanos <= 0 or self.is_spent:
            return None
        began = start_of(self.budget.window, self.now) or self.budget.since
        passed = max(self.now - max(began, self.budget.since), _SHORTEST)
        days = passed / timedelta(days=1) * self._left_nanos / self.spent_nanos
        if days > (_NOT_ENDING - self.now).days:
            return None
        at = self.now + timedelta(days=days)
        return None if self.ends_at is not None and at >= self.ends_at else at

    @property
    def _left_nanos(self) -> int:
        return self.budget.amount * NANOS_PER_MICRO - self.spent_nanos


def read_burns(budgets: Mapping[str, Budget], *, now: datetime) -> dict[str, Burn]:
    """By the caller's own names; empty while the counters cannot be read."""
    if not budgets:
        return {}
    named = list(budgets.items())
    try:
        spent = _spent([_key(budget, now) for _, budget in named])
    except RedisError:
        return {}
    return {name: Burn(budget, nanos, now) for (name, budget), nanos in zip(named, spent, strict=True)}


def _key(budget: Budget, now: datetime) -> str:
    name, end_ms = counter_of(budget.name, budget.window, now)
    return Limit("budget", name, budget.amount, end_ms).key


def _spent(keys: Sequence[str]) -> list[int]:
    with state().pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hget(key, "spent")
        return [int(value or 0) for value in pipe.execute()]
