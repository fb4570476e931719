"""Rates of the control plane, from the same counters and script as the edge; without Redis the same setting decides."""

from collections.abc import Sequence

from django.conf import settings
from redis.exceptions import NoScriptError, RedisError

from brokle.edge.limits import (
    SCRIPT,
    Limit,
    UnableToCheckLimits,
    Verdict,
    WithoutRedis,
    check_command,
    read_verdict,
)
from brokle.engines.state import state
from brokle.kernel.errors import RateLimited


def take(limits: Sequence[Limit]) -> Verdict | None:
    """None where nobody can be asked, and the call may go on."""
    command = check_command(limits)
    client = state()
    try:
        try:
            return read_verdict(client.execute_command(*command))
        except NoScriptError:
            client.script_load(SCRIPT)
            return read_verdict(client.execute_command(*command))
    except RedisError as error:
        WithoutRedis(settings.LIMITS_WITHOUT_REDIS).check(
            UnableToCheckLimits(type(error).__name__), has_hard_budget=False
        )
        return None


def demand_rate(door: str, who: str, *, amount: int, window_s: int) -> None:
    """For doors that anybody may knock at; `who` is an address or an account."""
    verdict = take([Limit("rate", f"door:{door}:{who}", amount, window_s * 1000)])
    if verdict is not None and not verdict.allowed:
        raise RateLimited("Too many attempts; wait a little", retry_after_s=verdict.retry_after_ms / 1000)
