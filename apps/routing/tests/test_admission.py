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
from brokle.edge.limits import Limiter
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


async def test_without_counters_a_soft_one_lets_through_and_a_hard_one_does_not():
    nobody = Limiter(RedisLink("redis://127.0.0.1:1"))

    await Admission(nobody).take(call(), "", planned("lim_soft", is_soft=True), Estimate(10, 10))
    with pytest.raises(Unavailable):
        await Admission(nobody).take(call(), "", planned("lim_hard", is_soft=False), Estimate(10, 10))
