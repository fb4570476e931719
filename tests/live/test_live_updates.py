import asyncio
import json
import os
import signal

import pytest
import redis

from brokle.web.live.hub import Hub, Watcher
from tests.live.visitor import Visitor, close_code, hear, listening, publish, publish_by, room_of, room_of_requests, say

pytestmark = [pytest.mark.engines]


async def test_a_subscriber_hears_its_room_until_it_leaves(home, owner):
    room = room_of(home)
    async with listening(owner, room) as socket:
        assert publish(home, room, requests=1) == 1
        frame = await hear(socket)
        assert (frame["type"], frame["room"], frame["data"]) == ("metrics.updated", room, {"requests": 1})
        assert frame["id"].startswith("ntc_")
        await say(socket, "unsubscribe", room=room)
        assert await hear(socket) == {"type": "unsubscribed", "room": room}
        await asyncio.to_thread(home.wait_for, lambda: publish(home, room, requests=2) == 0)
        await say(socket, "ping")
        assert await hear(socket) == {"type": "pong"}


async def test_a_real_request_is_announced(home, owner):
    async with listening(owner, room_of_requests(home)) as socket:
        assert (await asyncio.to_thread(home.chat)).status == 200
        frame = await asyncio.wait_for(hear(socket), 90)

    assert frame["type"] == "metrics.updated"
    assert frame["data"]["last"]["model"] == "fast"


async def test_without_an_identity_the_socket_closes_with_4401(home):
    async with Visitor(home).socket() as socket:
        assert await close_code(socket) == 4401


@pytest.mark.parametrize(
    "options", [{"headers": {"Authorization": "Bearer nobody"}}, {"subprotocols": ["bearer", "nobody"]}]
)
async def test_a_wrong_token_is_not_excused_by_the_cookie(home, owner, options):
    async with owner.socket(**options) as socket:
        assert await close_code(socket) == 4401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://127.0.0.1.evil.example"]
)
async def test_a_page_of_another_origin_is_refused(home, owner, origin):
    async with owner.socket(origin=origin) as socket:
        assert await close_code(socket) == 4403


async def test_a_program_without_origin_is_heard(home, owner):
    async with owner.socket(origin=None) as socket:
        await say(socket, "ping")
        assert await hear(socket) == {"type": "pong"}


@pytest.mark.parametrize("room", ["requests:env_another", "requests:", "nothing:env_1", "", "requests", "x" * 1000])
async def test_rooms_of_others_and_rooms_that_are_none_look_alike(home, owner, room):
    async with owner.socket() as socket:
        await say(socket, "subscribe", room=room)
        frame = await hear(socket)
        assert (frame["type"], frame["detail"]) == ("error", "there is no such room for you")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"type": 1}', "not json", '{"type": "shout"}', "[" * 4000, "x" * 5000]
)
async def test_a_malformed_frame_gets_an_error_and_the_socket_lives(home, owner, text):
    async with owner.socket() as socket:
        await socket.send(text)
        assert (await hear(socket))["type"] == "error"
        await socket.send(b"\x00\xff")
        assert (await hear(socket))["type"] == "error"
        await say(socket, "ping")
        assert await hear(socket) == {"type": "pong"}


async def test_a_slow_reader_is_sent_away_and_the_others_hear_everything(home, owner):
    room = room_of(home)
    async with listening(owner, room, max_queue=1) as slow, listening(owner, room, max_queue=None) as quick:
        slow.transport.pause_reading()
        heard = []

        async def listen():
            while len(heard) < 2000:
                heard.append((await hear(quick))["data"]["n"])

        listener = asyncio.create_task(listen())
        filling = "x" * 10_000
        with redis.Redis.from_url(home.run_file()["urls"]["REDIS_URL"]) as client:
            for number in range(2000):
                while number - len(heard) > 50:
                    await asyncio.sleep(0.001)
                await asyncio.to_thread(publish_by, client, room, n=number, filling=filling)
        await asyncio.wait_for(listener, 300)
        slow.transport.resume_reading()
        code = await close_code(slow)

    assert heard == list(range(2000))
    assert code == 1013


async def test_a_restarted_redis_is_joined_again(home, owner):
    room = room_of(home)
    async with listening(owner, room) as socket:
        before = home.processes()["redis"]["restarts"]
        os.kill(home.processes()["redis"]["pid"], signal.SIGKILL)
        await asyncio.to_thread(home.wait_for, lambda: home.processes()["redis"]["restarts"] > before)
        await asyncio.to_thread(home.wait_for, lambda: publish(home, room, after="restart") == 1)
        frame = await asyncio.wait_for(hear(socket), 90)

    assert frame["data"] == {"after": "restart"}
    assert json.dumps(frame)


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_who_joins_while_the_first_one_is_still_connecting_is_subscribed_too(home, turns):
    hub = Hub(home.run_file()["urls"]["REDIS_URL"])
    heard: list[str] = []

    async def hear_it(frame: str) -> None:
        heard.append(frame)

    first = asyncio.create_task(hub.join("first", Watcher(hear_it, lambda: None)))
    for _ in range(turns):
        await asyncio.sleep(0)
    watcher = Watcher(hear_it, lambda: None)
    pump = asyncio.create_task(watcher.pump())
    await asyncio.gather(first, hub.join("late", watcher))

    assert publish(home, "late", requests=1) == 1
    async with asyncio.timeout(30):
        while not heard:
            await asyncio.sleep(0.01)
    pump.cancel()
    await hub.close()
