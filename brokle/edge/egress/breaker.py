"""A circuit breaker as plain arithmetic: clock and dice are passed in, nothing sleeps and nothing waits."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

Dice = Callable[[], float]


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    consecutive_failures: int = 5
    error_rate: float = 0.5
    window_s: float = 10.0
    window_calls: int = 20
    """Below this many calls in a window the rate says nothing."""
    back_off_s: float = 1.0
    back_off_max_s: float = 30.0
    probe_s: float = 30.0
    """A probe that has not reported by then counts as lost, and the next call may probe."""


class Breaker:
    """Closed until failures pile up; then open for a jittered, doubling time; then one probe decides."""

    __slots__ = (
        "_calls",
        "_consecutive",
        "_dice",
        "_failures",
        "_openings",
        "_retry_at",
        "_rules",
        "_window_ends",
        "state",
    )

    def __init__(self, rules: BreakerRules, dice: Dice) -> None:
        self._rules = rules
        self._dice = dice
        self.state = State.CLOSED
        self._consecutive = 0
        self._calls = 0
        self._failures = 0
        self._window_ends = 0.0
        self._openings = 0
        self._retry_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may go out. Answering yes while not closed hands out the single probe."""
        if self.state is State.CLOSED:
            return True
        if now < self._retry_at:
            return False
        self.state = State.HALF_OPEN
        self._retry_at = now + self._rules.probe_s
        return True

    def retry_after_s(self, now: float) -> float:
        return 0.0 if self.state is State.CLOSED else max(0.0, self._retry_at - now)

    def succeeded(self, now: float) -> None:
        if self.state is State.OPEN:
            # Sent before the circuit opened; old news does not close it.
            return
        if self.state is State.HALF_OPEN:
            self._close()
        self._consecutive = 0
        self._count(now, failed=False)

    def failed(self, now: float) -> None:
        if self.state is State.OPEN:
            return
        if self.state is State.HALF_OPEN:
            self._open(now)
            return
        self._consecutive += 1
        self._count(now, failed=True)
        if self._consecutive >= self._rules.consecutive_failures or self._is_rate_exceeded():
            self._open(now)

    def _count(self, now: float, *, failed: bool) -> None:
        if now >= self._window_ends:
            self._window_ends = now + self._rules.window_s
            self._calls = self._failures = 0
        self._calls += 1
        self._failures += failed

    def _is_rate_exceeded(self) -> bool:
        return self._calls >= self._rules.window_calls and self._failures >= self._calls * self._rules.error_rate

    def _open(self, now: float) -> None:
        rules = self._rules
        longest = min(rules.back_off_max_s, rules.back_off_s * 2 ** min(self._openings, 30))
        self._openings += 1
        self.state = State.OPEN
        # Half fixed, half dice: many processes must not knock in the same moment.
        self._retry_at = now + longest * (0.5 + 0.5 * self._dice())

    def _close(self) -> None:
        self.state = State.CLOSED
        self._openings = self._consecutive = self._calls = self._failures = 0
        self._window_ends = 0.0


class BreakerBoard:
    """One breaker per key; the keys longest unused are forgotten."""

    __slots__ = ("_breakers", "_dice", "_rules", "_size")

    def __init__(self, rules: BreakerRules | None = None, *, dice: Dice | None = None, size: int = 4096) -> None:
        self._rules = rules or BreakerRules()
        self._dice = dice or Random().random  # noqa: S311 - jitter is no secret
        self._size = size
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()

    def breaker(self, key: str) -> Breaker:
        found = self._breakers.get(key)
        if found is None:
            found = self._breakers[key] = Breaker(self._rules, self._dice)
            if len(self._breakers) > self._size:
                self._breakers.popitem(last=False)
        else:
            self._breakers.move_to_end(key)
        return found
