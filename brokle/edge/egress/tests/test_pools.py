import asyncio
import gc
from collections.abc import Callable

import pytest
import uvloop

from brokle.edge.egress import EgressClient, Limits, Policy, PoolLimits
from brokle.edge.egress.errors import ClosedBeforeAnswer, DeadlinePassed, TooManyWaiting, UnableToConnect
from tests.fakes.upstream import Talk, answering, upstream

OPEN = Policy(allow=["127.0.0.0/8"])
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


async def get(client: EgressClient, url: str, method: str = "GET") -> bytes:
    async with client.request(method, url) as response:
        return await response.read()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_calls_one_after_the_other_share_one_connection():
    async with upstream(answering(PLAIN)) as server, EgressClient(OPEN) as client:
        for _ in range(100):
            assert await get(client, server.url()) == b"hello"
        assert (server.connects, len(server.requests)) == (1, 100)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_two_hundred_calls_at_once_each_get_their_own_answer(loop):
    async def echo(talk: Talk) -> None:
        await asyncio.sleep(0)
        body = talk.request.body
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def main() -> None:
        pool_limits = PoolLimits(connections=20)
        async with upstream(echo) as server, EgressClient(OPEN, pool_limits=pool_limits) as client:
            target = client.prepare("POST", server.url())

            async def work(worker: int) -> None:
                for turn in range(20):
                    body = b"%d/%d" % (worker, turn)
                    async with target.send(body) as response:
                        assert await response.read() == body

            await asyncio.gather(*(work(number) for number in range(200)))
            assert (server.connects, len(server.requests)) == (20, 4000)
            pool = target._pool
            assert (pool.open_count, pool.idle_count, pool.connects) == (20, 20, 20)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        runner.run(main())


async def test_one_over_the_limit_waits_for_the_first_to_finish():
    answer = asyncio.Event()

    async def script(talk: Talk) -> None:
        await answer.wait()
        await talk.send(PLAIN)

    async with upstream(script) as server, EgressClient(OPEN, pool_limits=PoolLimits(connections=1)) as client:
        calls = [asyncio.create_task(get(client, server.url())) for _ in range(5)]
        await server.until_open_connections(1)
        answer.set()
        assert await asyncio.gather(*calls) == [b"hello"] * 5
        assert server.connects == 1


async def test_waiting_for_a_connection_has_its_deadline_and_its_bound():
    async def script(talk: Talk) -> None:
        await talk.until_closed()

    pool_limits = PoolLimits(connections=1, waiting=1)
    limits = Limits(connect_s=1.5)
    async with upstream(script) as server, EgressClient(OPEN, limits=limits, pool_limits=pool_limits) as client:
        first = asyncio.create_task(get(client, server.url()))
        await server.until_open_connections(1)
        second = asyncio.create_task(get(client, server.url()))
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaiting, match="1 calls already wait"):
            await get(client, server.url())
        with pytest.raises(DeadlinePassed, match="waiting for a free connection"):
            await second
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_place_that_becomes_free_goes_to_one_who_waits_even_when_others_gave_up():
    async def script(talk: Talk) -> None:
        if talk.request.target == "/hang":
            await talk.until_closed()
        await talk.send(PLAIN)

    async with upstream(script) as server, EgressClient(OPEN, pool_limits=PoolLimits(connections=1)) as client:
        hanging = asyncio.create_task(get(client, server.url("/hang")))
        await server.until_open_connections(1)
        waiting = [asyncio.create_task(get(client, server.url())) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        hanging.cancel()
        await asyncio.sleep(0)
        waiting[1].cancel()
        assert await waiting[2] == b"hello"
        assert await get(client, server.url()) == b"hello"
        await asyncio.gather(hanging, *waiting, return_exceptions=True)


async def test_failed_connects_give_their_place_back():
    async with upstream(answering(PLAIN)) as server:
        url = server.url()
    async with EgressClient(OPEN, pool_limits=PoolLimits(connections=2)) as client:
        target = client.prepare("GET", url)
        for _ in range(10):
            with pytest.raises(UnableToConnect):
                await target.open()
        assert target._pool._taken == 0


def closing_every(count: int):
    """Answers, and closes silently instead of answering every so often: a keep-alive that ran out."""
    asked = 0

    async def script(talk: Talk) -> None:
        nonlocal asked
        asked += 1
        if asked % count == 0:
            talk.writer.close()
        else:
            await talk.send(PLAIN)

    return script


async def test_a_dead_kept_connection_is_replaced_for_calls_that_may_be_repeated():
    async with upstream(closing_every(2)) as server, EgressClient(OPEN) as client:
        assert await get(client, server.url()) == b"hello"
        assert await get(client, server.url()) == b"hello"
        assert (server.connects, len(server.requests)) == (2, 3)


async def test_a_post_is_never_sent_twice_unless_its_caller_allows_it():
    async with upstream(closing_every(2)) as server, EgressClient(OPEN) as client:
        assert await get(client, server.url(), "POST") == b"hello"
        with pytest.raises(ClosedBeforeAnswer):
            await get(client, server.url(), "POST")
        assert len(server.requests) == 2
    async with upstream(closing_every(2)) as server, EgressClient(OPEN) as client:
        target = client.prepare("POST", server.url())
        for _ in range(2):
            async with target.send(b"x", idempotent=True) as response:
                assert await response.read() == b"hello"
        assert len(server.requests) == 3


async def test_a_fresh_connection_that_dies_is_not_tried_again():
    async with upstream(closing_every(1)) as server, EgressClient(OPEN) as client:
        with pytest.raises(ClosedBeforeAnswer):
            await get(client, server.url())
        assert len(server.requests) == 1


async def test_a_connection_the_server_closed_while_idle_is_not_used():
    async def script(talk: Talk) -> None:
        await talk.send(PLAIN)
        talk.writer.close()

    async with upstream(script) as server, EgressClient(OPEN) as client:
        pool = client.prepare("POST", server.url())._pool
        for _ in range(3):
            assert await get(client, server.url(), "POST") == b"hello"
            await until(lambda: pool.idle_count == 0)
        assert (server.connects, len(server.requests)) == (3, 3)


async def test_idle_connections_are_closed_after_their_time():
    async with (
        upstream(answering(PLAIN)) as server,
        EgressClient(OPEN, pool_limits=PoolLimits(idle_s=0.1)) as client,
    ):
        await get(client, server.url())
        async with asyncio.timeout(30):
            await server.until_open_connections(0)


async def test_the_hint_of_the_server_how_long_it_keeps_is_heeded():
    hinting = PLAIN.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1, max=100\r\n\r\n")
    async with upstream(answering(hinting)) as server, EgressClient(OPEN) as client:
        await get(client, server.url())
        async with asyncio.timeout(30):
            await server.until_open_connections(0)


async def test_old_connections_are_replaced():
    async with upstream(answering(PLAIN)) as server:
        async with EgressClient(OPEN, pool_limits=PoolLimits(lifetime_s=0)) as client:
            for _ in range(3):
                await get(client, server.url())
        assert server.connects == 3


async def test_closing_the_client_closes_everything_and_refuses_more():
    async def script(talk: Talk) -> None:
        if talk.request.target == "/hang":
            await talk.until_closed()
        await talk.send(PLAIN)

    async with upstream(script) as server:
        client = EgressClient(OPEN)
        target = client.prepare("GET", server.url())
        await get(client, server.url())
        hanging = asyncio.create_task(get(client, server.url("/hang")))
        await until(lambda: len(server.requests) == 2)
        await client.aclose()
        await server.until_open_connections(0)
        (outcome,) = await asyncio.gather(hanging, return_exceptions=True)
        assert "was closed" in str(outcome)
        with pytest.raises(UnableToConnect, match="the egress client is closed"):
            await target.open()
        with pytest.raises(UnableToConnect, match="the egress client is closed"):
            client.prepare("GET", server.url())


async def test_origins_nobody_uses_are_forgotten():
    async with (
        upstream(answering(PLAIN)) as server,
        EgressClient(OPEN, pool_limits=PoolLimits(idle_s=0.05)) as client,
    ):
        await get(client, server.url())
        await until(lambda: gc.collect() >= 0 and len(client._pools) == 0)
