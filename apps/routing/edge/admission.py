"""May this call go out, and what it came to: taken before in one trip to Redis, set right after in another."""

import asyncio
import logging
import random
from datetime import UTC, datetime
from typing import Final, NamedTuple

from apps.routing.edge.book import LimitRecord
from apps.routing.edge.plan import Plan
from apps.routing.edge.usage import Usage
from brokle.edge.budgets import counter_of, name_of_key
from brokle.edge.dispatch import rate_headers
from brokle.edge.http import Header, Request
from brokle.edge.limits import Limit, Limiter, UnableToCheckLimits, Verdict
from brokle.edge.principal import Principal
from brokle.edge.resp import RedisDown
from brokle.kernel.errors import BrokleError, RateLimited

log = logging.getLogger("brokle.routing.admission")

_NANOS_PER_MICRO: Final = 1_000
_MINUTE_MS: Final = 60_000
_SPANS_MS: Final = {"minute": _MINUTE_MS, "hour": 60 * _MINUTE_MS, "day": 24 * 60 * _MINUTE_MS}
_FIRST_LOOK_S: Final = 0.01
_LONGEST_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 30.0
_UNSAID_OUTPUT: Final = 16_384
_NEVER_REFUSED: Final = 10**15
"""In micro-dollars: what a soft budget lets through, so that it is counted by the same script as any other."""


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


class Taken(NamedTuple):
    """A limit, what of the call counts towards it, and how its refusal reads."""

    limit: Limit
    measured: str
    words: str
    is_soft: bool = False


class Admission:
    """The limits one call has taken. Nothing is taken where a key has no limits beyond its rate."""

    __slots__ = ("_limiter", "_taken")

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._taken: list[Taken] = []

    async def take(self, request: Request, user: str, plan: Plan, estimate: Estimate) -> None:
        """Waits where it depends on calls under way; raises where the answer is no."""
        principal = request.principal
        if not principal.is_metered and not plan.limits:
            return
        taken = self._of_key(principal, request.request_id, plan, estimate) if principal.is_metered else []
        taken += of_rules(request, user, plan, estimate)
        if not taken:
            return
        limits = [one.limit for one in taken]
        has_hard_budget = any(one.measured == "usd" and not one.is_soft for one in taken)
        try:
            verdict = await self._ask(limits, has_hard_budget=has_hard_budget)
        except UnableToCheckLimits as error:
            self._limiter.without_redis.check(error, has_hard_budget=has_hard_budget)
            return
        request.extra_headers.extend(_headers(limits, verdict))
        if not verdict.allowed:
            raise _refusal(taken[verdict.refused], verdict)
        self._taken = [one for one in taken if one.measured != "requests"]

    async def settle(self, usage: Usage, cost_nanos: int) -> None:
        """Off the path of the answer. A call that failed gives back all it held."""
        taken, self._taken = self._taken, []
        if not taken:
            return
        actual = {"tokens": usage.total, "usd": cost_nanos, "parallel": 0}
        try:
            await self._limiter.settle([(one.limit, actual[one.measured]) for one in taken])
        except RedisDown as error:
            log.warning("limits not settled", extra={"reason": str(error)})

    def _of_key(self, principal: Principal, holder: str, plan: Plan, estimate: Estimate) -> list[Taken]:
        """What the key itself says."""
        taken = [
            Taken(limit, "requests", f"This key may use {limit.amount} requests a minute") for limit in principal.rates
        ]
        if principal.tokens_per_minute:
            amount = principal.tokens_per_minute
            wanted = max(1, min(estimate.input, amount))
            limit = Limit("rate", f"tpm:{principal.key_id}", amount, _MINUTE_MS, wanted)
            taken.append(Taken(limit, "tokens", f"This key may use {amount} tokens a minute"))
        if principal.budget_usd_micros:
            window = principal.budget_window
            micros = principal.budget_usd_micros
            limit = budget(name_of_key(principal.key_id), micros, micros, window, holder, plan, estimate)
            spent = f"${principal.budget_usd_micros / 1e6:.2f}"
            taken.append(Taken(limit, "usd", f"The budget of this key, {spent} a {window}, is spent"))
        return taken

    async def _ask(self, limits: list[Limit], *, has_hard_budget: bool) -> Verdict:
        packed = self._limiter.pack(limits)
        loop = asyncio.get_running_loop()
        ends_at, pause_s = loop.time() + _PATIENCE_S, _FIRST_LOOK_S
        while True:
            verdict = await self._limiter.check(packed, has_hard_budget=has_hard_budget)
            if verdict.allowed or not verdict.must_wait or loop.time() > ends_at:
                return verdict
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter is no secret
            pause_s = min(_LONGEST_LOOK_S, pause_s * 1.5)


def of_rules(request: Request, user: str, plan: Plan, estimate: Estimate) -> list[Taken]:
    """What the project and the organization say of this call."""
    if not plan.limits:
        return []
    principal, first = request.principal, plan.upstreams[0]
    subjects = {
        "key": principal.key_id,
        "user": user,
        "route": plan.route,
        "model": first.label,
        "provider": first.provider,
        "project": principal.project_id,
        "organization": principal.organization_id,
    }
    taken = []
    for rule in plan.limits:
        whose = subjects.get(rule.subject, "")
        if whose and rule.only in {"", whose}:
            limit = _limit_of(rule, f"{rule.limit_id}:{whose}", request.request_id, plan, estimate)
            taken.append(Taken(limit, rule.measured, _words(rule), rule.is_soft))
    return taken


def _limit_of(rule: LimitRecord, name: str, holder: str, plan: Plan, estimate: Estimate) -> Limit:
    if rule.measured == "usd":
        amount = _NEVER_REFUSED if rule.is_soft else rule.amount
        return budget(name, amount, rule.amount, rule.window, holder, plan, estimate)
    if rule.measured == "parallel":
        return Limit("parallel", name, rule.amount, int(plan.timeout_s * 1000) + _MINUTE_MS, holder=holder)
    wanted = max(1, min(estimate.input, rule.amount)) if rule.measured == "tokens" else 1
    return Limit("rate", name, rule.amount, _SPANS_MS.get(rule.window, _MINUTE_MS), wanted)


def _words(rule: LimitRecord) -> str:
    if rule.measured == "usd":
        return f"The budget `{rule.name}`, ${rule.amount / 1e6:.2f} a {rule.window} for each {rule.subject}, is spent"
    if rule.measured == "parallel":
        return f"The limit `{rule.name}` lets {rule.amount} calls at once for each {rule.subject}"
    return f"The limit `{rule.name}` lets {rule.amount} {rule.measured} a {rule.window} for each {rule.subject}"


def budget(name: str, micros: int, given: int, window: str, holder: str, plan: Plan, estimate: Estimate) -> Limit:
    """Calls are refused above `micros`; people are told of shares of `given`."""
    counter, end_ms = counter_of(name, window, datetime.now(UTC))
    return Limit(
        "budget",
        counter,
        micros * _NANOS_PER_MICRO,
        end_ms,
        cost=estimate.bound_nanos(plan),
        holder=holder,
        least=estimate.least_nanos(plan),
        hold_ms=int(plan.timeout_s * 1000) + _MINUTE_MS,
        given=given * _NANOS_PER_MICRO,
    )


def _headers(limits: list[Limit], verdict: Verdict) -> list[Header]:
    found: list[Header] = []
    for place, limit in enumerate(limits):
        if limit.name.startswith("rpm:"):
            found += rate_headers(limit.amount, verdict, place)
        elif limit.name.startswith("tpm:"):
            found += rate_headers(limit.amount, verdict, place, b"tokens")
    return found


def _refusal(one: Taken, verdict: Verdict) -> BrokleError:
    wait_s = 1.0 if verdict.must_wait else max(0.001, verdict.retry_after_ms / 1000)
    kind = BudgetSpent if one.measured == "usd" else RateLimited
    return kind(one.words, retry_after_s=wait_s)
