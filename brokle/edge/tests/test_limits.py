import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokle.edge.limits import Limit, Limiter, UnableToCheckLimits
from brokle.edge.resp import RedisLink


def rate(amount, name="k1", window_ms=60_000, cost=1):
    return Limit("rate", name, amount, window_ms, cost)


async def test_exactly_the_amount_passes_however_many_ask_at_once(redis):
    limiter = Limiter(redis)

    verdicts = await asyncio.gather(*(limiter.take([rate(50)]) for _ in range(200)))

    assert sum(v.allowed for v in verdicts) == 50


async def test_a_rate_tells_what_remains_and_when_to_come_back(redis):
    limiter = Limiter(redis)

    first = await limiter.take([rate(2)])
    await limiter.take([rate(2)])
    refused = await limiter.take([rate(2)])

    assert (first.allowed, first.remaining) == (True, (1,))
    assert (refused.allowed, refused.refused) == (False, 0)
    assert 0 < refused.retry_after_ms <= 120_000
    assert 0 < first.reset_ms[0] <= 60_000


async def test_waiting_as_long_as_told_is_enough(redis):
    limiter = Limiter(redis)
    await asyncio.gather(*(limiter.take([rate(3, window_ms=1500)]) for _ in range(3)))

    refused = await limiter.take([rate(3, window_ms=1500)])
    await asyncio.sleep(refused.retry_after_ms / 1000 + 0.005)

    assert not refused.allowed
    assert (await limiter.take([rate(3, window_ms=1500)])).allowed


async def test_a_refusal_by_one_limit_takes_nothing_from_the_others(redis):
    limiter = Limiter(redis)
    wide, narrow = rate(100, "wide"), rate(1, "narrow")
    await limiter.take([wide, narrow])

    refused = await limiter.take([wide, narrow])
    after = await limiter.take([wide])

    assert (refused.allowed, refused.refused) == (False, 1)
    assert after.remaining == (98,)


def budget(holder, *, cost=30_000, least=0, name="b1", hold_ms=60_000, lasts_s=86_400):
    ends = int(time.time() * 1000) + lasts_s * 1000
    return Limit("budget", name, 1_000_000, ends, cost=cost, holder=holder, least=least, hold_ms=hold_ms)


async def state(redis, name="b1"):
    found = await redis.ask("HMGET", f"bk:lim:{name}", "spent", "held", "dearest")
    return [int(value or 0) for value in found]


async def test_a_budget_is_never_overspent_by_parallel_reservations(redis):
    limiter = Limiter(redis)

    verdicts = await asyncio.gather(*(limiter.take([budget(f"c{n}")]) for n in range(100)))

    assert sum(v.allowed for v in verdicts) == 33
    assert {v.must_wait for v in verdicts if not v.allowed} == {True}
    assert await state(redis) == [0, 990_000, 0]


async def test_what_costs_nothing_is_held_settled_and_let_go(redis):
    limiter = Limiter(redis)
    slot = Limit("parallel", "p-free", 1, 60_000, holder="c1")
    await limiter.take([budget("c1", cost=0, name="free"), slot])
    await limiter.settle([(budget("c1", cost=0, name="free"), 0), (slot, 0)])
    await limiter.take([budget("dead", cost=0, name="free", hold_ms=1)])
    await asyncio.sleep(0.01)

    assert (await limiter.take([budget("c2", cost=0, name="free"), slot])).allowed


async def test_settling_a_budget_leaves_what_was_really_used(redis):
    limiter = Limiter(redis)
    reserved = budget("c1", cost=50_000)
    await limiter.take([reserved])

    await limiter.settle([(reserved, 12_345)])

    assert await state(redis) == [12_345, 0, 12_345]


async def test_a_call_that_may_cost_more_than_is_left_goes_alone(redis):
    limiter = Limiter(redis)
    first = await limiter.take([budget("c1", cost=9_000_000)])
    second = await limiter.take([budget("c2", cost=9_000_000)])
    await limiter.settle([(budget("c1", cost=9_000_000), 400_000)])
    third = await limiter.take([budget("c3", cost=9_000_000)])
    await limiter.settle([(budget("c3", cost=9_000_000), 400_000)])
    fourth = await limiter.take([budget("c4", cost=9_000_000)])

    assert [v.allowed for v in (first, second, third, fourth)] == [True, False, True, False]
    assert (second.must_wait, fourth.must_wait) == (True, False)
    assert 0 < fourth.retry_after_ms <= 86_400_000
    assert await state(redis) == [800_000, 0, 400_000]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(costs=st.lists(st.integers(1, 400_000), min_size=1, max_size=20), bound=st.integers(1, 2_000_000))
async def test_no_order_of_calls_overspends_where_none_is_dearer_than_the_bound(redis, costs, bound):
    await redis.ask("FLUSHALL")
    limiter, running = Limiter(redis), []
    for number, cost in enumerate(costs):
        held = budget(f"c{number}", cost=bound, least=min(cost, bound))
        if (await limiter.take([held])).allowed:
            running.append((held, min(cost, bound)))
        if len(running) > 3:
            await limiter.settle([running.pop(0)])
    for one in running:
        await limiter.settle([one])

    spent, held_now, _ = await state(redis)
    assert spent <= 1_000_000
    assert held_now == 0


async def test_what_a_dead_process_held_is_free_again(redis):
    limiter = Limiter(redis)
    await limiter.take([budget("dead", cost=1_000_000, hold_ms=200)])
    refused = await limiter.take([budget("next", cost=1_000_000)])
    async with asyncio.timeout(30):
        while not (await limiter.take([budget("next", cost=1_000_000)])).allowed:
            await asyncio.sleep(0.05)

    assert refused.must_wait
    assert await state(redis) == [0, 1_000_000, 0]


async def test_what_is_settled_after_the_window_changes_nothing(redis):
    limiter = Limiter(redis)
    await limiter.settle([(budget("late", lasts_s=-1), 5)])
    assert await redis.ask("EXISTS", "bk:lim:b1") == 0


async def test_a_rate_of_tokens_is_set_right_by_what_was_used(redis):
    limiter = Limiter(redis)
    guessed = rate(1000, "tpm", cost=900)
    await limiter.take([guessed])
    refused = await limiter.take([guessed])
    await limiter.settle([(guessed, 40)])
    after = await limiter.take([guessed])

    assert [refused.allowed, after.allowed, after.remaining] == [False, True, (60,)]


async def test_parallel_slots_are_freed_by_release_and_by_expiry(redis):
    limiter = Limiter(redis)

    def slot(holder, hold_ms=60_000):
        return Limit("parallel", "p1", 2, hold_ms, holder=holder)

    assert (await limiter.take([slot("a")])).allowed
    assert (await limiter.take([slot("b", hold_ms=1000)])).allowed
    assert not (await limiter.take([slot("c")])).allowed
    await limiter.settle([(slot("a"), 0)])
    assert (await limiter.take([slot("c")])).allowed
    async with asyncio.timeout(30):
        while not (await limiter.take([slot("d")])).allowed:
            await asyncio.sleep(0.05)


async def test_a_cost_larger_than_the_limit_is_refused_whole(redis):
    verdict = await Limiter(redis).take([rate(10, cost=11)])

    assert (verdict.allowed, verdict.retry_after_ms) == (False, 60_000)


async def test_a_flushed_redis_learns_the_script_again(redis):
    limiter = Limiter(redis)
    await limiter.take([rate(5)])
    await redis.ask("SCRIPT", "FLUSH")

    assert (await limiter.take([rate(5)])).allowed


async def test_without_redis_the_caller_is_told():
    link = RedisLink("unix:///nonexistent.sock")
    await link.start()

    with pytest.raises(UnableToCheckLimits):
        await Limiter(link).take([rate(5)])
    await link.stop()
