"""What callers and applications do wrong, and how it ends."""

import asyncio
import logging

import pytest

from brokle.edge.listener.connection import BODY_S, HEAD_S, IDLE_S, TAKEN_S
from brokle.edge.listener.tests.test_http import echo, reply

PLAIN = b"host: x\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\n" + PLAIN, 400),
        (b"GET / HTTP/9.9\r\n" + PLAIN, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nhost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nx: a\0b\r\n" + PLAIN, 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n" + PLAIN + b"ab", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n" + PLAIN, 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n" + PLAIN + b"0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n" + PLAIN, 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n" + PLAIN, 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + PLAIN, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000 + b"\r\n" + PLAIN, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + PLAIN, 431),
    ],
)
async def test_what_is_no_request_is_refused_and_ends_the_connection(stage, sent, status):
    async def application(scope, receive, send):
        pytest.fail("nothing was asked")

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(sent)
        told, headers, body = await caller.answer()
        assert (told, headers["content-type"], headers["connection"]) == (status, "application/problem+json", "close")
        assert b'"status":%d' % status in body
        assert await caller.rest() == b""


async def test_a_broken_chunk_ends_the_request_it_belongs_to(stage):
    messages = []

    async def application(scope, receive, send):
        messages.append(await receive())
        messages.append(await receive())
        await reply(send, b"never said")

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        await here.until(lambda: messages)
        caller.say(b"nonsense\r\n")
        assert (await caller.answer())[0] == 400
        await here.until(lambda: not here.listener.running)
    assert messages[1] == {"type": "http.disconnect"}


async def test_what_came_before_nonsense_is_answered(stage):
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await go_on.wait()
        await echo(scope, receive, send)

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /1")
        caller.ask(b"GET /2")
        caller.say(b"nonsense\r\n\r\n")
        await here.until(lambda: here.listener.running)
        go_on.set()
        assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 400]


@pytest.mark.parametrize("offer", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
async def test_a_packet_of_thousands_of_requests_is_not_taken_in_whole(stage, offer):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.say((b"GET / HTTP/1.1\r\n" + offer + PLAIN) * 2000)
        statuses = [(await caller.answer())[0] for _ in range(130)]
    assert statuses == [200] * 129 + [400]


async def test_an_application_hears_that_its_caller_hung_up(stage):
    heard = asyncio.Event()

    async def application(scope, receive, send):
        assert (await receive())["body"] == b"body"
        assert await receive() == {"type": "http.disconnect"}
        await reply(send, b"to nobody")
        heard.set()

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"POST /", body=b"body")
        await here.until(lambda: here.listener.running)
        caller.writer.close()
        async with asyncio.timeout(5):
            await heard.wait()


async def test_what_was_sent_whole_is_read_though_its_sender_is_gone(stage):
    """Telemetry is often sent by programs that do not wait for the answer."""
    found = []
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await go_on.wait()
        found.append(await receive())

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"POST /", body=b"events")
        caller.writer.close()
        await here.until(lambda: not here.listener.connections and here.listener.running)
        go_on.set()
        await here.until(lambda: found)
    assert found == [{"type": "http.request", "body": b"events", "more_body": False}]


async def test_one_who_waits_to_write_is_let_go_when_the_caller_leaves(stage):
    ended = asyncio.Event()

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        ended.set()

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        await here.until(lambda: here.listener.connections and next(iter(here.listener.connections)).is_full)
        caller.writer.transport.abort()
        async with asyncio.timeout(5):
            await ended.wait()


@pytest.mark.parametrize("says", [b"a\r\nset-cookie: x=y", b"a\nb", b"a\rb"])
async def test_a_header_brings_no_line_of_its_own(stage, says, caplog):
    async def application(scope, receive, send):
        await reply(send, b"ok", 200, (b"x-said", says))

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        status, headers, _ = await caller.answer()
    assert (status, "set-cookie" in headers, "x-said" in headers) == (500, False, False)
    assert "application failed" in caplog.text


async def fails_at_once(scope, receive, send):
    raise ValueError


async def says_nothing(scope, receive, send):
    return


@pytest.mark.parametrize("application", [fails_at_once, says_nothing])
async def test_an_application_that_fails_before_its_answer_is_a_500(stage, application, caplog):
    caplog.set_level(logging.CRITICAL)
    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        assert (await caller.answer())[0] == 500


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"10")]])
async def test_an_application_that_fails_within_its_answer_leaves_it_unfinished(stage, headers, caplog):
    caplog.set_level(logging.CRITICAL)

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        await caller.head()
        rest = await caller.rest()
    assert rest is None or not rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("body", "status"), [(b"short", 200), (b"longer than ten", 500)])
async def test_a_body_of_another_length_than_was_said_is_never_taken_for_whole(stage, body, status, caplog):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": body})

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        assert (await caller.head())[0] == status
        rest = await caller.rest()
    assert rest is None or len(rest) < 10 or status == 500
    assert "application failed" in caplog.text


async def test_a_head_that_takes_too_long_is_refused(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.say(b"GET / HTTP/1.1\r\nx-slow: ")
        await here.until(lambda: any(one.is_under_way for one in here.listener.connections))
        now = here.listener.loop.time()
        here.listener.sweep(now + HEAD_S - 1)
        caller.say(b"a")
        await asyncio.sleep(0)
        here.listener.sweep(now + HEAD_S + 1)
        assert (await caller.answer())[0] == 408
        assert await caller.rest() == b""


async def test_a_body_that_stops_coming_is_refused(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
        await here.until(lambda: here.listener.running)
        (exchange,) = here.listener.running
        await here.until(lambda: exchange.is_awaited)
        now = here.listener.loop.time()
        here.listener.sweep(now + BODY_S - 1)
        assert here.listener.running
        here.listener.sweep(now + BODY_S + 1)
        assert (await caller.answer())[0] == 408
        await here.until(lambda: not here.listener.running)


async def test_an_idle_connection_is_closed_and_a_slow_answer_is_not(stage):
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await go_on.wait()
        await echo(scope, receive, send)

    async with stage(application) as here:
        idle, waiting = await here.caller(), await here.caller()
        waiting.ask(b"GET /")
        await here.until(lambda: here.listener.running and len(here.listener.connections) == 2)
        here.listener.sweep(here.listener.loop.time() + IDLE_S + 1)
        assert await idle.rest() == b""
        go_on.set()
        assert (await waiting.answer())[0] == 200


async def test_who_never_reads_the_last_of_an_answer_is_dropped(stage):
    async def application(scope, receive, send):
        await reply(send, b"x" * 32 * 1024 * 1024)

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /", b"connection: close")
        await here.until(lambda: here.listener.running and next(iter(here.listener.connections)).is_full)
        now = here.listener.loop.time()
        here.listener.sweep(now)
        here.listener.sweep(now + TAKEN_S - 1)
        assert here.listener.connections
        here.listener.sweep(now + TAKEN_S + 1)
        await here.until(lambda: not here.listener.running and not here.listener.connections)


async def test_more_connections_than_there_is_room_for_are_told_so(stage):
    async with stage(echo, connections_max=1) as here:
        first = await here.caller()
        first.ask(b"GET /")
        await first.answer()
        second = await here.caller()
        status, headers, _ = await second.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert await second.rest() == b""
        first.ask(b"GET /")
        assert (await first.answer())[0] == 200


async def test_a_drain_answers_what_is_under_way_and_closes_the_rest(stage):
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await go_on.wait()
        await echo(scope, receive, send)

    async with stage(application) as here:
        idle, waiting = await here.caller(), await here.caller()
        waiting.ask(b"GET /")
        await here.until(lambda: here.listener.running and len(here.listener.connections) == 2)
        draining = asyncio.create_task(here.listener.drain())
        assert await idle.rest() == b""
        assert not draining.done()
        go_on.set()
        status, headers, _ = await waiting.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await waiting.rest() == b""
        await draining
