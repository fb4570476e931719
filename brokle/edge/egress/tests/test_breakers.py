import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokle.edge.egress import EgressClient, Policy
from brokle.edge.egress.breaker import Breaker, BreakerBoard, BreakerRules, State
from brokle.edge.egress.errors import CircuitOpen, UpstreamBroken
from tests.fakes.upstream import Talk, upstream

RULES = BreakerRules(consecutive_failures=3, window_calls=10, back_off_s=1, back_off_max_s=8, probe_s=5)


def breaker(dice=lambda: 1.0) -> Breaker:
    return Breaker(RULES, dice)


def opened() -> Breaker:
    fresh = breaker()
    for _ in range(3):
        fresh.failed(0)
    return fresh


def test_it_opens_after_failures_in_a_row():
    fresh = breaker()
    for failure in range(3):
        assert fresh.state is State.CLOSED
        assert fresh.allows(failure)
        fresh.failed(0)
    assert fresh.state is State.OPEN
    assert not fresh.allows(0.99)
    assert fresh.retry_after_s(0.25) == 0.75


def test_it_opens_when_half_of_a_window_fails():
    fresh = breaker()
    for _ in range(5):
        fresh.succeeded(1)
        fresh.failed(1)
    assert fresh.state is State.OPEN


def test_failures_of_a_former_window_do_not_count():
    fresh = breaker()
    for second in range(0, 200, 5):
        fresh.failed(second)
        fresh.succeeded(second)
    assert fresh.state is State.CLOSED


def test_one_probe_goes_out_and_its_success_closes():
    tried = opened()
    assert tried.allows(1.0)
    assert tried.state is State.HALF_OPEN
    assert not tried.allows(1.0)
    assert not tried.allows(5.9)
    tried.succeeded(2)
    assert tried.state is State.CLOSED
    assert tried.allows(2)


def test_a_failed_probe_opens_for_twice_as_long_up_to_the_longest():
    tried = opened()
    now = 0.0
    for wait_s in (1, 2, 4, 8, 8, 8):
        assert not tried.allows(now + wait_s - 0.01)
        now += wait_s
        assert tried.allows(now)
        tried.failed(now)


def test_a_probe_that_never_reports_is_replaced():
    tried = opened()
    assert tried.allows(1)
    assert not tried.allows(5.99)
    assert tried.allows(6)


def test_the_dice_shorten_the_wait_by_at_most_half():
    shortest = breaker(lambda: 0.0)
    for _ in range(3):
        shortest.failed(0)
    assert not shortest.allows(0.49)
    assert shortest.allows(0.5)


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "good", "bad"]), st.floats(0, 10)), max_size=200)


@given(STEPS, st.floats(0, 1))
def test_its_promises_hold_in_every_order_of_events(steps, roll):
    subject = Breaker(RULES, lambda: roll)
    now = 0.0
    probe_until = -1.0
    in_a_row = 0
    for step, passed_s in steps:
        now += passed_s
        before = subject.state
        if step == "ask":
            allowed = subject.allows(now)
            if before is State.CLOSED:
                assert allowed
            elif allowed:
                assert subject.state is State.HALF_OPEN
                assert now >= probe_until, "two probes at once"
                probe_until = now + RULES.probe_s
            assert 0 <= subject.retry_after_s(now) <= max(RULES.back_off_max_s, RULES.probe_s)
        elif step == "good":
            subject.succeeded(now)
            assert subject.state is (State.OPEN if before is State.OPEN else State.CLOSED)
            in_a_row = 0
            probe_until = -1.0
        else:
            subject.failed(now)
            in_a_row += 1
            probe_until = -1.0
            if before is not State.CLOSED or in_a_row >= RULES.consecutive_failures:
                assert subject.state is State.OPEN
        if before is State.CLOSED and step != "bad":
            assert subject.state is State.CLOSED


def test_the_board_keeps_one_breaker_per_key_and_forgets_the_oldest():
    board = BreakerBoard(size=2)
    first = board.breaker("a")
    assert board.breaker("a") is first
    board.breaker("b")
    board.breaker("a")
    board.breaker("c")
    assert board.breaker("a") is first
    assert len(board._breakers) == 2


async def test_a_failing_upstream_is_left_alone_and_tried_again():
    healthy = False

    async def script(talk: Talk) -> None:
        if healthy:
            await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        elif len(talk.request.body) % 2:
            await talk.send(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n")
        else:
            talk.writer.close()

    now_rules = BreakerRules(consecutive_failures=4, back_off_s=2)
    breakers = BreakerBoard(now_rules, dice=lambda: 1.0)
    async with upstream(script) as server, EgressClient(Policy(allow=["127.0.0.1"]), breakers=breakers) as client:
        target = client.prepare("POST", server.url())
        for size in (2, 1, 2, 1):
            if size == 1:
                async with target.send(b"x") as response:
                    assert response.status == 503
            else:
                with pytest.raises(UpstreamBroken):
                    await target.open(b"xx")
        with pytest.raises(CircuitOpen) as refused:
            await target.open(b"x")
        assert 0 < refused.value.retry_after_s <= 2
        assert (refused.value.status, len(server.requests)) == (503, 4)
        healthy = True
        while breakers.breaker(f"http://127.0.0.1:{server.port}").retry_after_s(client.loop.time()):
            await asyncio.sleep(0.01)
        async with target.send(b"x") as response:
            assert response.status == 200
        assert len(server.requests) == 5
