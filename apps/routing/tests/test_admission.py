"""A budget refuses once it is spent; a soft one is counted by the same counter and lets everybody through."""

import os
from datetime import UTC, datetime

import pytest

from apps.routing.edge.admission import Admission, BudgetSpent, Estimate
from apps.routing.edge.book import LimitRecord
from apps.routing.edge.plan import Plan
from apps.routing.edge.upstreams import EchoUpstream
from apps.routing.edge.usage import Usage
from brokle.edge.budgets import counter_of
from brokle.edge.http import Request
from brokle.edge.limits import Limiter, WithoutRedis
from brokle.edge.principal import KeyRecord, Principal
from brokle.edge.resp import RedisLink
from brokle.kernel.errors import Unavailable

pytestmark = pytest.mark.engines
DOLLAR = 1_000_000_000


@pytest.fixture
async def redis():
    link = RedisLink(os.environ["REDIS_URL"])  # noqa: TID251 - the suite's own Redis
    await link.start()
    yield link
    await link.stop()


def call():
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, None, None)
    request.principal = Principal(KeyRecord("key_1", "org_1", "prj_1", "env_1", ["gateway"]))
    return request


def planned(limit_id, *, is_soft):
    plan = Plan([EchoUpstream("fast")])
    plan.limits = [LimitRecord(limit_id, "monthly", "project", "usd", 10_000_000, "month", is_soft=is_soft)]
    return plan


def counter(limit_id):
    name, _ = counter_of(f"{limit_id}:prj_1", "month", datetime.now(UTC))
    return f"bk:lim:{name}"


async def test_a_spent_budget_refuses(redis):
    await redis.ask("HSET", counter("lim_hard"), "spent", 11 * DOLLAR)

    with pytest.raises(BudgetSpent, match="The budget `monthly`"):
        await Admission(Limiter(redis)).take(call(), "", planned("lim_hard", is_soft=False), Estimate(10, 10))


async def test_a_soft_one_goes_on_counting(redis):
    await redis.ask("HSET", counter("lim_soft"), "spent", 11 * DOLLAR)
    admission = Admission(Limiter(redis))

    await admission.take(call(), "", planned("lim_soft", is_soft=True), Estimate(10, 10))
    await admission.settle(Usage(input=10, output=10), 2 * DOLLAR)

    assert await redis.ask("HGET", counter("lim_soft"), "spent") == b"%d" % (13 * DOLLAR)


@pytest.mark.parametrize(
    ("policy", "amount", "is_soft", "is_served"),
    [
        (WithoutRedis.BUDGETS_CLOSED, "usd", False, False),
        (WithoutRedis.BUDGETS_CLOSED, "usd", True, True),
        (WithoutRedis.BUDGETS_CLOSED, "requests", False, True),
        (WithoutRedis.BUDGETS_CLOSED, "parallel", False, True),
        (WithoutRedis.OPEN, "usd", False, True),
        (WithoutRedis.CLOSED, "usd", True, False),
        (WithoutRedis.CLOSED, "requests", False, False),
        (WithoutRedis.CLOSED, "parallel", False, False),
    ],
)
async def test_with_redis_stopped_the_setting_decides(redis, stop_redis, policy, amount, is_soft, is_served):
    stop_redis()
    plan = Plan([EchoUpstream("fast")])
    plan.limits = [LimitRecord("lim_1", "each", "project", amount, 10_000_000, "day", is_soft=is_soft)]
    admission = Admission(Limiter(redis, policy))

    if is_served:
        await admission.take(call(), "", plan, Estimate(10, 10))
        await admission.settle(Usage(input=10, output=10), 2 * DOLLAR)
    else:
        with pytest.raises(Unavailable, match="cannot be checked right now") as refused:
            await admission.take(call(), "", plan, Estimate(10, 10))
        assert refused.value.retry_after_s == 1
