"""May this call go out, and what it came to: taken before in one trip to Redis, set right after in another."""

import asyncio
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.routing.edge.plan import Plan
from apps.routing.edge.usage import Usage
from brokle.edge.dispatch import rate_headers
from brokle.edge.http import Header, Request
from brokle.edge.limits import Limit, Limiter, UnableToCheckLimits, Verdict, pack_check
from brokle.edge.principal import Principal
from brokle.edge.resp import RedisDown
from brokle.kernel.errors import BrokleError, RateLimited, Unavailable

log = logging.getLogger("brokle.routing.admission")

_NANOS_PER_MICRO: Final = 1_000
_MINUTE_MS: Final = 60_000
_FIRST_LOOK_S: Final = 0.01
_LONGEST_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 30.0
_UNSAID_OUTPUT: Final = 16_384
_FOREVER_MS: Final = 4_102_444_800_000  # the year 2100


class BudgetSpent(BrokleError):
    code, status, title = "insufficient_quota", 429, "The budget is spent"


class Estimate:
    """What a call may use before anybody knows: `output` is a bound where the caller named one."""

    __slots__ = ("input", "output")

    def __init__(self, input_tokens: int, output_tokens: int | None) -> None:
        self.input = input_tokens
        self.output = _UNSAID_OUTPUT if output_tokens is None else max(0, output_tokens)

    def bound_nanos(self, plan: Plan) -> int:
        return max(
            upstream.price.cost_nanos(Usage(input=self.input, output=self.output)) for upstream in plan.upstreams
        )

    def least_nanos(self, plan: Plan) -> int:
        return min(upstream.price.cost_nanos(Usage(input=self.input)) for upstream in plan.upstreams)


class Admission:
    """The limits one call has taken. Nothing is taken where a key has no limits beyond its rate."""

    __slots__ = ("_budget", "_limiter", "_tokens", "is_settled")

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._budget: Limit | None = None
        self._tokens: Limit | None = None
        self.is_settled = False

    async def take(self, request: Request, plan: Plan, estimate: Estimate) -> None:
        """Waits where it depends on calls under way; raises where the answer is no."""
        principal = request.principal
        if not principal.is_metered:
            return
        limits = self._limits(principal, request.request_id, plan, estimate)
        try:
            verdict = await self._ask(limits)
        except UnableToCheckLimits as error:
            self._without_redis(error)
            return
        request.extra_headers.extend(_headers(limits, verdict))
        if not verdict.allowed:
            self._budget = self._tokens = None
            raise _refusal(limits[verdict.refused], principal, verdict)

    async def settle(self, usage: Usage, cost_nanos: int) -> None:
        """Off the path of the answer. A call that failed gives back all it held."""
        self.is_settled = True
        taken = []
        if self._budget is not None:
            taken.append((self._budget, cost_nanos))
        if self._tokens is not None:
            taken.append((self._tokens, usage.total))
        if not taken:
            return
        try:
            await self._limiter.settle(taken)
        except RedisDown as error:
            log.warning("limits not settled", extra={"reason": str(error)})

    def _limits(self, principal: Principal, holder: str, plan: Plan, estimate: Estimate) -> list[Limit]:
        limits = list(principal.rates)
        if principal.tokens_per_minute:
            wanted = min(estimate.input, principal.tokens_per_minute)
            self._tokens = Limit(
                "rate", f"tpm:{principal.key_id}", principal.tokens_per_minute, _MINUTE_MS, max(1, wanted)
            )
            limits.append(self._tokens)
        if principal.budget_usd_micros:
            start, end_ms = window_of(principal.budget_window, datetime.now(UTC))
            self._budget = Limit(
                "budget",
                f"budget:{principal.key_id}:{start}",
                principal.budget_usd_micros * _NANOS_PER_MICRO,
                end_ms,
                cost=estimate.bound_nanos(plan),
                holder=holder,
                least=estimate.least_nanos(plan),
                hold_ms=int(plan.timeout_s * 1000) + _MINUTE_MS,
            )
            limits.append(self._budget)
        return limits

    async def _ask(self, limits: list[Limit]) -> Verdict:
        packed = pack_check(limits)
        loop = asyncio.get_running_loop()
        ends_at, pause_s = loop.time() + _PATIENCE_S, _FIRST_LOOK_S
        while True:
            verdict = await self._limiter.check(packed)
            if verdict.allowed or not verdict.must_wait or loop.time() > ends_at:
                return verdict
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter is no secret
            pause_s = min(_LONGEST_LOOK_S, pause_s * 1.5)

    def _without_redis(self, error: UnableToCheckLimits) -> None:
        """Rates are let go, money is not: a budget that nobody counts is none."""
        log.warning("limits not checked", extra={"reason": str(error)})
        has_budget, self._budget, self._tokens = self._budget is not None, None, None
        if has_budget:
            raise Unavailable("The budget of this key cannot be checked right now", retry_after_s=1) from error


def window_of(window: str, now: datetime) -> tuple[str, int]:
    """The name of the span a budget counts in, and when it ends, in milliseconds since 1970."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        return f"{day:%Y-%m-%d}", _ms(day + timedelta(days=1))
    if window == "week":
        monday = day - timedelta(days=day.weekday())
        return f"{monday:%G-W%V}", _ms(monday + timedelta(days=7))
    if window == "month":
        return f"{day:%Y-%m}", _ms((day.replace(day=1) + timedelta(days=32)).replace(day=1))
    return "total", _FOREVER_MS


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _headers(limits: list[Limit], verdict: Verdict) -> list[Header]:
    found: list[Header] = []
    for place, limit in enumerate(limits):
        if limit.name.startswith("rpm:"):
            found += rate_headers(limit.amount, verdict, place)
        elif limit.name.startswith("tpm:"):
            found += rate_headers(limit.amount, verdict, place, b"tokens")
    return found


def _refusal(limit: Limit, principal: Principal, verdict: Verdict) -> BrokleError:
    wait_s = 1.0 if verdict.must_wait else max(0.001, verdict.retry_after_ms / 1000)
    if limit.kind == "budget":
        spent = f"${principal.budget_usd_micros / 1e6:.2f}"
        return BudgetSpent(
            f"The budget of this key, {spent} a {principal.budget_window}, is spent", retry_after_s=wait_s
        )
    unit = "tokens" if limit.name.startswith("tpm:") else "requests"
    return RateLimited(f"This key may use {limit.amount} {unit} a minute", retry_after_s=wait_s)
