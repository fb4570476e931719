"""Websockets, judged by the `websockets` client."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    wanted = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": wanted[0] if wanted else None})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def client(here, path="/ws", **settings):
    return connect(f"ws://127.0.0.1:{here.port}{path}", proxy=None, **settings)


async def test_what_is_said_comes_back(stage):
    async with stage(echo) as here, client(here, subprotocols=["brokle.v1", "other"]) as socket:
        assert socket.subprotocol == "brokle.v1"
        for said in ("مرحبا", b"\x00\xff", "x" * 100_000, ""):
            await socket.send(said)
            assert await socket.recv() == said
        await socket.send(["in ", "three ", "pieces"])
        assert await socket.recv() == "in three pieces"
        await (await socket.ping())


async def test_the_scope_says_what_was_asked(stage):
    seen = []

    async def application(scope, receive, send):
        seen.append((scope["type"], scope["path"], scope["query_string"], dict(scope["headers"])[b"x-mine"]))
        await echo(scope, receive, send)

    async with stage(application) as here, client(here, "/ws/%D8%A8?a=b", additional_headers={"x-mine": "1"}):
        pass
    assert seen == [("websocket", "/ws/ب", b"a=b", b"1")]


async def test_a_refusal_is_an_answer(stage):
    async def application(scope, receive, send):
        await send({"type": "websocket.close", "code": 4000})

    async with stage(application) as here:
        with pytest.raises(InvalidStatus) as refused:
            await client(here)
    assert refused.value.response.status_code == 403


async def test_a_refusal_may_say_why(stage):
    async def application(scope, receive, send):
        assert "websocket.http.response" in scope["extensions"]
        headers = [(b"content-type", b"application/json"), (b"x-why", b"no")]
        await send({"type": "websocket.http.response.start", "status": 426, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b'{"error": {}}'})

    async with stage(application) as here:
        with pytest.raises(InvalidStatus) as refused:
            await client(here)
    answer = refused.value.response
    assert (answer.status_code, answer.body, answer.headers["x-why"]) == (426, b'{"error": {}}', "no")
    assert answer.headers.get_all("content-type") == ["application/json"]


async def test_a_handshake_that_is_none_is_refused(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.ask(b"GET /ws", b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13")
        assert (await caller.answer())[0] == 400
        assert await caller.rest() == b""


async def test_the_application_closes_while_it_waits_for_the_client(stage):
    ended = asyncio.Event()

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        waiting = asyncio.create_task(receive())
        await send({"type": "websocket.close", "code": 4401, "reason": "who are you"})
        assert (await waiting)["code"] == 4401
        ended.set()

    async with stage(application) as here, client(here) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "who are you")
        await ended.wait()


async def hears(scope, receive, send, found):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        continue
    found.append(message["code"])


@pytest.mark.parametrize("how", ["closes", "is gone"])
async def test_the_application_hears_that_the_client_left(stage, how):
    found = []
    async with stage(lambda *given: hears(*given, found)) as here:
        socket = await client(here)
        if how == "closes":
            await socket.close(4002)
        else:
            socket.transport.abort()
        await here.until(lambda: found)
    assert found == [4002 if how == "closes" else 1006]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),
        (b"\x81\x02hi", 1002),
        (b"\x82\xff\x00\x00\x00\x00\x00\x20\x00\x00\0\0\0\0", 1009),
    ],
    ids=["no text", "not masked", "too large"],
)
async def test_frames_that_are_none_end_the_socket(stage, frame, code):
    found = []
    async with stage(lambda *given: hears(*given, found)) as here:
        async with client(here) as socket:
            socket.transport.write(frame)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        await here.until(lambda: found)
    assert (closed.value.rcvd.code, found) == (code, [code])


async def test_who_sends_faster_than_the_application_takes_is_held_back(stage):
    go_on = asyncio.Event()
    count = 0

    async def application(scope, receive, send):
        nonlocal count
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while (await receive())["type"] == "websocket.receive":
            count += 1

    async with stage(application) as here, client(here) as socket:
        for _ in range(100):
            await socket.send("x" * 10_000)
        (held,) = here.listener.running
        await here.until(lambda: held.is_holding)
        go_on.set()
        await here.until(lambda: count == 100)


async def test_a_client_that_does_not_answer_a_close_is_dropped(stage):
    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000})

    async with stage(application) as here:
        caller = await here.caller()
        key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
        caller.ask(b"GET /", b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13", key)
        assert (await caller.head())[0] == 101
        assert await caller.reader.readexactly(4) == b"\x88\x02\x0f\xa0"
        here.listener.sweep(here.listener.loop.time() + 11)
        assert await caller.rest() in {b"", None}


async def test_a_drain_tells_clients_to_come_again(stage):
    async with stage(echo) as here, client(here) as socket:
        draining = asyncio.create_task(here.listener.drain())
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1012
        await draining
