"""Requests and answers on the wire, judged byte by byte and by curl."""

import asyncio
import subprocess

import pytest


async def echo(scope, receive, send):
    """Says what arrived."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    told = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {scope['http_version']} ".encode()
    await reply(send, told + body)


async def reply(send, body, status=200, *headers):
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length(body)]})
    await send({"type": "http.response.body", "body": body})


def length(body):
    return b"content-length", b"%d" % len(body)


async def test_an_answer_has_a_date_and_its_length(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.ask(b"GET /a%20b/%D8%A8?x=%20")
        status, headers, body = await caller.answer()
    assert (status, body.decode()) == (200, "GET /a b/ب x=%20 1.1 ")
    assert set(headers) == {"date", "content-length"}


async def test_a_connection_takes_one_request_after_the_other(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        for number in range(3):
            caller.ask(b"POST /%d" % number, body=b"body")
            assert (await caller.answer())[2] == b"POST /%d  1.1 body" % number
        assert len(here.listener.connections) == 1


async def test_requests_sent_ahead_are_answered_in_their_order(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        for number in range(50):
            caller.ask(b"POST /%d" % number, body=b"x" * number)
        for number in range(50):
            assert (await caller.answer())[2] == b"POST /%d  1.1 %b" % (number, b"x" * number)


async def test_a_request_in_slices_of_one_byte_is_the_same(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        head = b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n":
            caller.say(bytes((byte,)))
            await caller.writer.drain()
            await asyncio.sleep(0)
        assert (await caller.answer())[2] == b"POST /slow  1.1 abcde"


async def test_trailers_are_no_headers_of_the_next_request(stage):
    seen = []

    async def application(scope, receive, send):
        seen.append(scope["headers"])
        await echo(scope, receive, send)

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(
            b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nauthorization: Bearer a\r\n\r\n"
        )
        await caller.answer()
        caller.ask(b"GET /")
        await caller.answer()
    assert seen[1] == [(b"host", b"x")]


async def test_a_body_arrives_in_parts_and_waits_in_the_callers_socket(stage):
    taken = asyncio.Event()
    parts = []

    async def application(scope, receive, send):
        await taken.wait()
        while True:
            message = await receive()
            parts.append(len(message["body"]))
            if not message["more_body"]:
                break
        await reply(send, b"")

    async with stage(application) as here:
        caller = await here.caller()
        size = 32 * 1024 * 1024
        caller.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size)
        await here.until(lambda: here.listener.running)
        (exchange,) = here.listener.running
        await here.until(lambda: exchange.is_holding)
        taken.set()
        assert (await caller.answer())[0] == 200
    assert sum(parts) == size
    assert parts[0] < 1024 * 1024


async def test_a_large_body_that_nobody_reads_does_not_stop_the_next_request(stage):
    whole = asyncio.Event()

    async def application(scope, receive, send):
        if scope["path"] == "/unread":
            await whole.wait()
        await reply(send, scope["path"].encode())

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"POST /unread", body=b"x" * 300_000)
        await here.until(lambda: here.listener.running)
        (exchange,) = here.listener.running
        await here.until(lambda: exchange.is_whole)
        whole.set()
        assert (await caller.answer())[2] == b"/unread"
        caller.ask(b"GET /next")
        assert (await caller.answer())[2] == b"/next"


async def test_chunks_leave_as_they_are_said(stage):
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for text in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": text, "more_body": True})
            await go_on.wait()
        await send({"type": "http.response.body"})

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        assert (await caller.head())[1]["transfer-encoding"] == "chunked"
        assert await caller.reader.readexactly(8) == b"3\r\none\r\n"
        go_on.set()
        assert await caller.reader.readexactly(13) == b"3\r\ntwo\r\n0\r\n\r\n"


async def test_who_reads_slowly_holds_the_application_back(stage):
    said = 0

    async def application(scope, receive, send):
        nonlocal said
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            said += 1
        await send({"type": "http.response.body"})

    async with stage(application) as here:
        caller = await here.caller()
        caller.ask(b"GET /")
        await caller.head()
        await here.until(lambda: next(iter(here.listener.connections)).is_full)
        assert said < 400
        assert len(await caller.chunks()) == 400 * 65536


async def test_head_and_statuses_without_a_body_have_none(stage):
    async def application(scope, receive, send):
        status = int(scope["path"][1:])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"" if status != 200 else b"not said"})

    async with stage(application) as here:
        caller = await here.caller()
        for line, status in ((b"HEAD /200", 200), (b"GET /204", 204), (b"GET /304", 304)):
            caller.ask(line)
            assert await caller.head() == (status, {"date": (await_date(here))})
        caller.ask(b"GET /200")
        assert (await caller.answer())[2] == b"not said"


def await_date(here):
    return here.listener.clock.line().decode().strip().partition(": ")[2]


async def test_http_1_0_is_answered_in_its_own_way(stage):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all", "more_body": True})
        await send({"type": "http.response.body", "body": b" of it"})

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(b"GET / HTTP/1.0\r\n\r\n")
        status, headers = await caller.head()
        assert (status, headers["connection"], "transfer-encoding" in headers) == (200, "close", False)
        assert await caller.rest() == b"all of it"
    async with stage(echo) as here:
        caller = await here.caller()
        for _ in range(2):
            caller.say(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            assert (await caller.answer())[1]["connection"] == "keep-alive"


@pytest.mark.parametrize("says", [b"connection: close", b"Connection: Close"])
async def test_who_asks_for_it_is_hung_up_on(stage, says):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.ask(b"GET /", says)
        assert (await caller.answer())[1]["connection"] == "close"
        assert await caller.rest() == b""


async def test_who_waits_to_be_asked_for_the_body_is_asked_when_it_is_wanted(stage):
    async def application(scope, receive, send):
        if scope["path"] == "/no":
            await reply(send, b"no", 401)
        else:
            await echo(scope, receive, send)

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(b"POST /yes HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.say(b"hi")
        assert (await caller.answer())[2] == b"POST /yes  1.1 hi"
        caller.say(b"POST /no HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert (await caller.answer())[::2] == (401, b"no")
        assert await caller.rest() == b""


async def test_who_is_refused_in_the_middle_of_sending_reads_why(stage):
    async def application(scope, receive, send):
        await reply(send, b"too much", 413)

    async with stage(application) as here:
        caller = await here.caller()
        caller.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n")
        assert (await caller.answer())[::2] == (413, b"too much")
        caller.say(b"x" * 900_000)
        await caller.writer.drain()
        assert await caller.rest() == b""


async def test_an_address_may_come_whole(stage):
    async with stage(echo) as here:
        caller = await here.caller()
        caller.ask(b"GET http://x/path?q=1")
        assert (await caller.answer())[2] == b"GET /path q=1 1.1 "
        caller.ask(b"OPTIONS *")
        assert (await caller.answer())[2] == b"OPTIONS *  1.1 "


async def test_a_protocol_that_is_not_spoken_is_declined_by_going_on(stage):
    """As Java's client asks, with its first request and the body of it."""
    async with stage(echo) as here:
        caller = await here.caller()
        upgrade = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQ")
        caller.ask(b"POST /java", *upgrade, body=b"body")
        assert (await caller.answer())[::2] == (200, b"POST /java  1.1 body")
        caller.ask(b"GET /java", *upgrade)
        caller.ask(b"GET /next")
        assert (await caller.answer())[2] == b"GET /java  1.1 "
        assert (await caller.answer())[2] == b"GET /next  1.1 "


async def test_curl_agrees(stage, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(b"0123456789" * 100_000)
    async with stage(echo) as here:
        url = f"http://127.0.0.1:{here.port}"
        command = ["curl", "-sS", "--noproxy", "*", f"{url}/1", f"{url}/2", "--data-binary", f"@{large}"]
        command += ["-H", "transfer-encoding: chunked", "-H", "expect: 100-continue", "-w", "%{num_connects}"]
        judged = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    first, second = (b"POST /%d  1.1 " % n + large.read_bytes() for n in (1, 2))
    assert judged.stdout == first + b"1" + second + b"0"
