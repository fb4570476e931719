import asyncio

import hiredis
import pytest

from brokle.edge.resp import RedisAddress, RedisDown, RedisLink


async def test_calls_of_one_turn_are_answered_in_order(redis):
    replies = await asyncio.gather(*(redis.call("ECHO", str(n)) for n in range(500)))

    assert replies == [str(n).encode() for n in range(500)]


async def test_a_redis_error_is_a_value_from_call_and_raised_by_ask(redis):
    assert isinstance(await redis.call("NOSUCH"), hiredis.ReplyError)
    with pytest.raises(hiredis.ReplyError, match="unknown command"):
        await redis.ask("NOSUCH")


async def test_without_redis_every_call_fails_at_once():
    link = RedisLink("unix:///nonexistent.sock")
    await link.start()

    with pytest.raises(RedisDown):
        link.call("PING")
    await link.stop()


async def test_a_lost_connection_fails_what_waits_and_comes_back(redis):
    killer = await redis.ask("CLIENT", "ID")
    waiting = redis.call("BLPOP", "nothing-here", 5)
    other = RedisLink(redis._url)
    await other.start()
    await other.ask("CLIENT", "KILL", "ID", killer)

    with pytest.raises(RedisDown):
        await waiting
    async with asyncio.timeout(30):
        while not redis.is_up:
            await asyncio.sleep(0.01)
    assert await redis.ask("PING") == b"PONG"
    await other.stop()


async def test_a_call_past_its_deadline_drops_the_connection(redis):
    link = RedisLink(redis._url, timeout_s=0.2)
    await link.start()

    with pytest.raises(RedisDown):
        await link.call("BLPOP", "nothing-here", 30)
    await link.stop()


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "user", "password", "db", "tls"),
    [
        ("redis://h:7000/3", "h", 7000, "", "", "", 3, False),
        ("rediss://u:p%40@h", "h", 6379, "", "u", "p@", 0, True),
        ("unix://:pw@/tmp/a%20b.sock?db=2", "127.0.0.1", 6379, "/tmp/a b.sock", "", "pw", 2, False),
    ],
)
def test_addresses_are_read_as_redis_py_reads_them(url, host, port, path, user, password, db, tls):
    address = RedisAddress(url)

    assert (address.host, address.port, address.path) == (host, port, path)
    assert (address.user, address.password, address.db, address.tls) == (user, password, db, tls)
