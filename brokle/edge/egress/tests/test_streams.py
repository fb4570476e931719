import asyncio
import subprocess
import time
import tracemalloc
import zlib

import pytest

from brokle.edge.egress import EgressClient, EgressRefused, Limits, Policy
from brokle.edge.egress.errors import (
    AnswerTooLarge,
    ClosedBeforeAnswer,
    DeadlinePassed,
    UnableToConnect,
    UpstreamBroken,
)
from tests.fakes.upstream import Talk, answering, upstream

OPEN = Policy(allow=["127.0.0.0/8"])
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
EVENTS = b"".join(b'data: {"delta":"caf\xc3\xa9 %d"}\r\n\r\n' % number for number in range(8))
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Twice: a\r\nX-Twice: b\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (EVENTS[:7], EVENTS[7:100], EVENTS[100:]))
    + b"0\r\nx-end: 1\r\n\r\n"
)
LENGTHY = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(EVENTS), EVENTS)


async def sliced(talk: Talk, payload: bytes) -> None:
    for byte in payload:
        talk.writer.write(bytes((byte,)))
        await talk.writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("payload", [CHUNKED, LENGTHY])
async def test_an_answer_in_slices_of_one_byte_is_the_same(payload):
    async with upstream(lambda talk: sliced(talk, payload)) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            assert b"".join([chunk async for chunk in response]) == EVENTS
        async with client.request("GET", server.url()) as response:
            assert await response.read() == EVENTS
        assert server.connects == 1


async def test_curl_sees_the_same_body_and_headers():
    async with upstream(answering(CHUNKED)) as server, EgressClient(OPEN) as client:
        command = ["curl", "-sS", "--noproxy", "*", "-D", "/dev/stderr", server.url()]
        judged = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        head = judged.stderr.partition(b"\r\n\r\n")[0]
        async with client.request("GET", server.url()) as response:
            rows = [b"%b: %b" % pair for pair in response.headers]
            assert rows == head.split(b"\r\n")[1:]
            assert await response.read() == judged.stdout
        assert server.requests[1].headers["host"] == server.requests[0].headers["host"]


async def test_chunks_are_handed_on_as_they_arrive():
    passed = asyncio.Semaphore(0)

    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(20):
            await talk.send(b"2\r\n%02d\r\n" % number)
            await passed.acquire()
        await talk.send(b"0\r\n\r\n")

    async with upstream(script) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            seen = []
            async for chunk in response:
                seen.append(chunk)
                passed.release()
        assert seen == [b"%02d" % number for number in range(20)]


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_answer_cut_after_any_byte_is_a_clear_error(how):
    cut_at = 0

    async def script(talk: Talk) -> None:
        await talk.send(CHUNKED[:cut_at])
        if how == "reset":
            talk.reset()
        else:
            talk.writer.close()

    async with upstream(script) as server, EgressClient(OPEN) as client:
        for cut_at in range(len(CHUNKED)):
            received = []
            with pytest.raises(UpstreamBroken) as broken:
                await collect(client, server.url(), received)
            assert EVENTS.startswith(b"".join(received))
            assert (cut_at == 0) == isinstance(broken.value, ClosedBeforeAnswer)
        await server.until_open_connections(0)
        assert len(server.requests) == len(CHUNKED)


async def test_a_body_cut_before_its_length_is_an_error_that_counts_the_bytes():
    async with upstream(answering(LENGTHY[:-10], close=True)) as server, EgressClient(OPEN) as client:
        with pytest.raises(UpstreamBroken, match=f"after {len(EVENTS) - 10} bytes"):
            async with client.request("GET", server.url()) as response:
                await response.read()


async def collect(client: EgressClient, url: str, into: list[bytes]) -> None:
    async with client.request("POST", url, body=b"x") as response:
        async for chunk in response:
            into.append(chunk)  # noqa: PERF401 - what came before an error counts


async def silent(talk: Talk) -> None:
    await talk.until_closed()


async def test_cancelling_while_waiting_for_the_answer_closes_the_upstream_at_once():
    async with upstream(silent) as server, EgressClient(OPEN) as client:

        async def call() -> None:
            async with client.request("GET", server.url()):
                pass

        task = asyncio.create_task(call())
        await server.until_open_connections(1)
        async with asyncio.timeout(30):
            while not server.requests:
                await asyncio.sleep(0)
            task.cancel()
            await server.until_open_connections(0)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cancelling_or_leaving_in_the_middle_of_a_stream_closes_the_upstream_at_once():
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        await talk.until_closed()

    async with upstream(script) as server, EgressClient(OPEN) as client:
        for leave_by_cancel in (True, False):
            started = asyncio.Event()

            async def call(started=started, *, endless=leave_by_cancel) -> None:
                async with client.request("GET", server.url()) as response:
                    async for _ in response:
                        started.set()
                        if not endless:
                            break

            task = asyncio.create_task(call())
            await started.wait()
            async with asyncio.timeout(30):
                if leave_by_cancel:
                    task.cancel()
                await server.until_open_connections(0)
            await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_nobody_reads_is_held_back_and_delivered_whole():
    piece = b"x" * 65536
    count = 512
    sent = 0

    async def script(talk: Talk) -> None:
        nonlocal sent
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(piece) * count))
        for _ in range(count):
            await talk.send(piece)
            sent += 1

    async with upstream(script) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            stalled_at = -1
            while stalled_at != sent:
                stalled_at = sent
                await asyncio.sleep(0.1)
            assert sent < count
            assert response._buffered < 1024 * 1024
            size = 0
            async for chunk in response:
                size += len(chunk)
            assert size == len(piece) * count
        async with client.request("GET", server.url()) as response:
            assert response.status == 200
        assert server.connects == 1


async def test_a_large_answer_left_unread_does_not_hold_the_next_user_of_its_connection():
    body = b"y" * 300_000

    async with (
        upstream(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + body)) as server,
        EgressClient(OPEN) as client,
    ):
        target = client.prepare("GET", server.url())
        first = await target.open()
        while not first.complete:
            await asyncio.sleep(0)
        second = await target.open()
        assert await second.read() == body
        assert await first.read() == body
        assert server.connects == 1


def timed(limits: Limits) -> EgressClient:
    return EgressClient(OPEN, limits=limits)


async def fails_after(client: EgressClient, url: str) -> tuple[DeadlinePassed, float]:
    """Which deadline it was, and how long it took: never less than that, more on a busy machine."""
    started = time.monotonic()
    with pytest.raises(DeadlinePassed) as passed:
        await collect(client, url, [])
    return passed.value, time.monotonic() - started


async def test_a_silent_upstream_is_left_at_the_first_byte_deadline():
    async with upstream(silent) as server, timed(Limits(first_byte_s=0.3)) as client:
        error, took_s = await fails_after(client, server.url())
        assert error.detail == "127.0.0.1: the start of the answer took longer than 0.3 s"
        assert took_s >= 0.29
        await server.until_open_connections(0)


async def test_a_stream_that_stops_is_left_at_the_idle_deadline():
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        await talk.until_closed()

    async with upstream(script) as server, timed(Limits(idle_s=0.3)) as client:
        error, took_s = await fails_after(client, server.url())
        assert error.detail == "127.0.0.1: the next part of the answer took longer than 0.3 s"
        assert took_s >= 0.29


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
)
async def test_a_slow_drip_is_left_at_the_total_deadline(head):
    drip = {b"": b"H", b"HTTP/1.1 200 OK\r\n\r\n": b"x"}.get(head, b"1\r\nx\r\n")

    async def script(talk: Talk) -> None:
        await talk.send(head or b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            await talk.send(drip)
            await asyncio.sleep(0.01)

    async with upstream(script) as server, timed(Limits(total_s=2.5, first_byte_s=60, idle_s=2)) as client:
        error, took_s = await fails_after(client, server.url())
        assert error.detail == "127.0.0.1: the whole answer took longer than 2.5 s"
        assert took_s >= 2.49


async def test_a_slow_reader_is_not_the_fault_of_the_upstream():
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd")

    async with (
        upstream(script) as server,
        timed(Limits(first_byte_s=1, idle_s=1)) as client,
        client.request("GET", server.url()) as response,
    ):
        await asyncio.sleep(1.5)
        assert await response.read() == b"abcd"


async def test_a_refused_connection_says_so():
    async with upstream(silent) as server:
        url = server.url()
    async with EgressClient(OPEN) as client:
        with pytest.raises(UnableToConnect, match="does not accept connections"):
            async with client.request("GET", url):
                pass


@pytest.mark.parametrize(
    ("opening", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-header: value\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nx: ", b"v" * 1000),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", b"v" * 1000),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"e" * 1000),
    ],
)
async def test_endless_headers_are_cut_off(opening, endless):
    sent = 0

    async def script(talk: Talk) -> None:
        nonlocal sent
        await talk.send(opening)
        while True:
            await talk.send(endless)
            sent += len(endless)

    async with upstream(script) as server, EgressClient(OPEN) as client:
        with pytest.raises(AnswerTooLarge):
            async with client.request("GET", server.url()) as response:
                await response.read()
        await server.until_open_connections(0)


async def test_headers_over_the_cap_are_refused_even_when_they_arrive_at_once():
    head = (
        b"HTTP/1.1 200 OK\r\n"
        + b"".join(b"x-%d: %b\r\n" % (n, b"v" * 900) for n in range(80))
        + b"content-length: 0\r\n\r\n"
    )
    async with upstream(answering(head)) as server, EgressClient(OPEN) as client:
        with pytest.raises(AnswerTooLarge, match="65536 bytes"):
            async with client.request("GET", server.url()):
                pass


async def test_a_buffered_read_stops_at_its_cap():
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await talk.send(b"x" * 65536)

    async with upstream(script) as server, timed(Limits(body_bytes=1_000_000)) as client:
        with pytest.raises(AnswerTooLarge, match="larger than 1000000 bytes"):
            async with client.request("GET", server.url()) as response:
                await response.read()
        await server.until_open_connections(0)


def packed(kind: str, body: bytes) -> bytes:
    wbits = {"gzip": 31, "deflate": 15, "raw": -15}[kind]
    packer = zlib.compressobj(wbits=wbits)
    data = packer.compress(body) + packer.flush()
    name = b"gzip" if kind == "gzip" else b"deflate"
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n%b" % (name, len(data), data)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw"])
async def test_packed_bodies_are_unpacked_only_when_asked(kind):
    payload = packed(kind, EVENTS)
    async with upstream(lambda talk: sliced(talk, payload)) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            assert await response.read() == payload.partition(b"\r\n\r\n")[2]
        async with client.request("GET", server.url()) as response:
            assert await response.read(decode=True) == EVENTS
        async with client.request("GET", server.url()) as response:
            assert b"".join([piece async for piece in response.decoded()]) == EVENTS


async def test_a_gzip_bomb_stops_at_the_cap():
    bomb = packed("gzip", bytes(64_000_000))
    assert len(bomb) < 70_000
    async with upstream(answering(bomb)) as server, timed(Limits(body_bytes=1_000_000)) as client:
        tracemalloc.start()
        with pytest.raises(AnswerTooLarge, match="unpacked"):
            async with client.request("GET", server.url()) as response:
                await response.read(decode=True)
        async with client.request("GET", server.url()) as response:
            pieces = response.decoded()
            with pytest.raises(AnswerTooLarge, match="unpacked"):
                await anext(pieces)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 8_000_000


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (packed("gzip", EVENTS).replace(b"gzip", b"br  "), "nobody asked for: br"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\njunk", "not packed as"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff",
            "too early",
        ),
    ],
)
async def test_what_cannot_be_unpacked_says_why(payload, reason):
    async with upstream(answering(payload)) as server, EgressClient(OPEN) as client:
        with pytest.raises(UpstreamBroken, match=reason):
            async with client.request("GET", server.url()) as response:
                await response.read(decode=True)


async def test_a_streamed_request_body_arrives_whole():
    async def pieces():
        for number in range(50):
            yield b"%d," % number * 1000
            yield b""
            await asyncio.sleep(0)

    async with upstream(answering(PLAIN)) as server, EgressClient(OPEN) as client:
        for _ in range(2):
            async with client.request("POST", server.url(), body=pieces()) as response:
                assert await response.read() == b"hello"
        assert server.requests[1].body == b"".join(b"%d," % number * 1000 for number in range(50))
        assert server.connects == 1


async def test_a_failing_request_body_ends_the_call_with_its_own_error():
    async def pieces():
        yield b"a"
        raise ZeroDivisionError("the source of the body")

    async with upstream(answering(PLAIN)) as server, EgressClient(OPEN) as client:
        with pytest.raises(ZeroDivisionError, match="the source of the body"):
            async with client.request("POST", server.url(), body=pieces()):
                pass
        await server.until_open_connections(0)


async def test_a_request_body_that_fails_after_the_answer_began_ends_the_answer_with_its_error():
    began = asyncio.Event()

    async def pieces():
        yield b"a"
        await began.wait()
        raise ZeroDivisionError("the source of the body")

    async def early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nbegin")
        await reader.read(-1)
        writer.close()

    listener = await asyncio.start_server(early, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    async with EgressClient(OPEN) as client, client.request("POST", url, body=pieces()) as response:
        assert await response.next_chunk() == b"begin"
        began.set()
        with pytest.raises(ZeroDivisionError, match="the source of the body"):
            await response.next_chunk()
    listener.close()
    await listener.wait_closed()


async def test_an_answer_before_the_request_is_sent_ends_the_sending_and_the_connection():
    stopped = asyncio.Event()

    async def pieces():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            stopped.set()

    async def early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        while await reader.read(65536):
            pass
        writer.close()

    listener = await asyncio.start_server(early, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    async with EgressClient(OPEN) as client:
        body = pieces()
        async with client.request("POST", url, body=body) as response:
            assert response.status == 413
            assert await response.read() == b""
        await body.aclose() if not stopped.is_set() else None
        async with asyncio.timeout(30):
            await stopped.wait()
    listener.close()
    await listener.wait_closed()


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nevil: 1"},
        {"x": "a\nevil: 1"},
        {"x": "a\x00b"},
        {"x\r\nevil": "1"},
        {"x y": "1"},
        {"": "1"},
        {"Host": "evil"},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
        {"Connection": "upgrade"},
    ],
)
async def test_no_header_can_end_a_line_or_reframe_the_message(headers):
    async with upstream(answering(PLAIN)) as server, EgressClient(OPEN) as client:
        with pytest.raises(EgressRefused):
            async with client.request("GET", server.url(), headers=headers):
                pass
        target = client.prepare("GET", server.url())
        with pytest.raises(EgressRefused):
            await target.open(None, list(headers.items()))
        assert server.requests == []


@pytest.mark.parametrize("method", ["get", "GET /evil", "CONNECT", "", "G\r\nET"])
async def test_no_method_but_plain_ones_is_sent(method):
    async with EgressClient(OPEN) as client:
        with pytest.raises(EgressRefused):
            client.prepare(method, "http://127.0.0.1/")


async def test_the_request_is_written_as_given():
    async with upstream(answering(PLAIN)) as server, EgressClient(OPEN) as client:
        target = client.prepare("POST", server.url("/é/%2F?q=ü&a=%20#part"), {"Authorization": "Bearer s"})
        async with target.send(b"body", [(b"x-one", b"1"), ("x-two", "ü")]) as response:
            await response.read()
        async with client.request("POST", server.url("?q")) as response:
            await response.read()
        first, second = server.requests
        assert (first.method, first.target, first.body) == ("POST", "/%C3%A9/%2F?q=%C3%BC&a=%20", b"body")
        assert first.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": "brokle",
            "authorization": "Bearer s",
            "x-one": "1",
            "x-two": "ü",
            "content-length": "4",
        }
        assert (second.target, second.headers["content-length"]) == ("/?q", "0")
