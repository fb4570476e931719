from dataclasses import dataclass
from datetime import datetime

from brokle.kernel.money import Money

_NOTHING = Money(0)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One line of the request log."""

    id: str
    at: datetime
    model: str
    provider: str
    key_id: str
    tokens: int | None
    cost: Money
    duration_ms: float
    status: int
    error_code: str
    cache: str
    attempts: int
    route: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a span of time amounts to."""

    requests: int = 0
    latency_p95_ms: float = 0.0
    ttft_p95_ms: float = 0.0
    cost: Money = _NOTHING
    errors: int = 0

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0
