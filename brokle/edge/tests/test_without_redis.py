"""A Redis that is stopped or slow: who may go on without it goes on at once, who may not is told to come again."""

import asyncio
import json

import pytest

from brokle.edge.budgets import COUNTED
from brokle.edge.dispatch import Dispatch, Endpoint
from brokle.edge.http import JSON
from brokle.edge.key_use import KeyUse
from brokle.edge.limits import Limit, Limiter, UnableToCheckLimits, WithoutRedis
from brokle.edge.principal import KeyRecord, Keys, digest, encode_key
from brokle.edge.resp import PROMPT_S, RedisDown, RedisLink, pack
from brokle.edge.snapshot import Snapshot
from tests.fakes.toxic import toxic

pytestmark = pytest.mark.engines
KEY = b"bk_test_0123456789_0123456789"
SECONDS = 2.0


async def answer(link, policy):
    """Of a key that has a rate."""
    snapshot, sent = Snapshot(), []
    keys = Keys(snapshot, [b"pepper"])
    record = KeyRecord("key_1", "org_1", "prj_1", "env_1", ["ingest"], requests_per_minute=1000)
    snapshot.apply("key", digest(b"pepper", KEY), encode_key(record))

    async def handle(request):
        await request.reply(200, b"{}", JSON)

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    dispatch = Dispatch(keys, Limiter(link, policy), KeyUse(link), [Endpoint("/x", handle, "ingest")])
    headers = [(b"authorization", b"Bearer " + KEY)]
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, "query_string": b""}
    await dispatch.serve(dispatch.find("/x"), scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"] if len(sent) > 1 else b""


@pytest.mark.parametrize(
    ("policy", "status"),
    [(WithoutRedis.BUDGETS_CLOSED, 200), (WithoutRedis.OPEN, 200), (WithoutRedis.CLOSED, 503)],
)
async def test_a_key_with_a_rate_is_served_as_the_setting_says(redis, stop_redis, policy, status):
    assert (await answer(redis, policy))[0] == 200
    stop_redis()

    found, headers, body = await answer(redis, policy)

    assert found == status
    if status == 503:
        assert headers[b"retry-after"] == b"1"
        assert json.loads(body)["detail"] == "The limits of this call cannot be checked right now"


async def test_a_late_redis_is_waited_for_once_and_asked_again_when_it_is_prompt(redis_through):
    proxy, link = redis_through
    proxy.latency_s = SECONDS
    loop = asyncio.get_running_loop()

    began = loop.time()
    with pytest.raises(RedisDown, match="late"):
        await link.call_impatient(pack("PING"))
    assert PROMPT_S <= loop.time() - began < SECONDS / 2
    with pytest.raises(RedisDown, match="late"):
        link.call_impatient(pack("PING"))

    proxy.latency_s = 0.0
    async with asyncio.timeout(30):
        while True:
            try:
                assert await link.call_impatient(pack("PING")) == b"PONG"
                break
            except RedisDown:
                await asyncio.sleep(0.02)


async def test_who_must_be_counted_waits_for_a_slow_redis(redis_through):
    proxy, link = redis_through
    proxy.latency_s = PROMPT_S * 3

    assert await link.call("PING") == b"PONG"
    status, headers, _ = await answer(link, WithoutRedis.CLOSED)
    assert (status, headers[b"x-ratelimit-limit-requests"]) == (200, b"1000")
    status, headers, _ = await answer(link, WithoutRedis.BUDGETS_CLOSED)
    assert (status, b"x-ratelimit-limit-requests" in headers) == (200, False)


@pytest.fixture
async def redis_through(redis):
    """A way to the suite's Redis that can be made slow."""
    async with toxic(unix=redis._address.path) as proxy:
        link = RedisLink(f"redis://:{redis._address.password}@127.0.0.1:{proxy.port}/0", timeout_s=5)
        await link.start()
        yield proxy, link
        await link.stop()


def budget(holder):
    return Limit("budget", "b1", 1_000, 2**52, 10, holder=holder, least=1)


async def test_a_budget_whose_counters_are_gone_is_not_spent_from_until_they_are_back(redis):
    limiter = Limiter(redis)
    await limiter.take([budget("before")])
    await redis.ask("SET", COUNTED, "1")
    await limiter.take([budget("seen")])
    await redis.ask("FLUSHDB")

    with pytest.raises(UnableToCheckLimits, match="counted anew"):
        await limiter.take([budget("lost")])
    assert (await limiter.take([Limit("rate", "r1", 5, 60_000)])).allowed
    await redis.ask("SET", COUNTED, "1")
    assert (await limiter.take([budget("back")])).allowed


async def test_what_could_not_be_booked_has_the_budgets_counted_anew(redis, redis_through):
    proxy, link = redis_through
    await redis.ask("SET", COUNTED, "1")
    limiter = Limiter(link)
    await limiter.take([budget("one")])
    proxy.is_down = True
    proxy.cut_all()
    async with asyncio.timeout(30):
        while link.is_up:
            await asyncio.sleep(0.01)
    with pytest.raises(RedisDown):
        await limiter.settle([(budget("one"), 7)])

    proxy.is_down = False
    async with asyncio.timeout(30):
        while await redis.ask("EXISTS", COUNTED):
            await asyncio.sleep(0.01)
    with pytest.raises(UnableToCheckLimits, match="counted anew"):
        await limiter.take([budget("two")])
