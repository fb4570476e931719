import pytest

from brokle.edge.egress import EgressClient, Policy
from brokle.edge.egress.errors import UpstreamBroken
from tests.fakes.upstream import Talk, answering, upstream

OPEN = Policy(allow=["127.0.0.0/8"])
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nhello"


async def read(payload: bytes, *, method: str = "GET", close: bool = False):
    async with upstream(answering(payload, close=close)) as server, EgressClient(OPEN) as client:
        async with client.request(method, server.url()) as first:
            body = await first.read()
        async with client.request(method, server.url()) as second:
            assert await second.read() == body
        return first, body, server.connects


async def test_content_length_body_is_read_and_the_connection_kept():
    response, body, connects = await read(PLAIN)
    assert (response.status, body, connects) == (200, b"hello", 1)
    assert response.header("Content-Type") == "text/plain"
    assert response.headers == [(b"content-length", b"5"), (b"content-type", b"text/plain")]


async def test_chunked_body_with_extensions_and_trailers_is_read_and_the_connection_kept():
    payload = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'4;name=value;other="x"\r\nWiki\r\n6\r\npedia \r\n0\r\nX-Sum: 10\r\nX-End: yes\r\n\r\n'
    )
    response, body, connects = await read(payload)
    assert (body, connects) == (b"Wikipedia ", 1)
    assert response.trailers == [(b"X-Sum", b"10"), (b"X-End", b"yes")]
    assert response.headers == [(b"Transfer-Encoding", b"chunked")]


async def test_body_without_a_length_ends_with_the_connection():
    _, body, connects = await read(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)
    assert (body, connects) == (b"until the end", 2)


async def test_http_1_0_answer_is_not_kept():
    _, body, connects = await read(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", close=True)
    assert (body, connects) == (b"ok", 2)


async def test_connection_close_is_honored():
    _, body, connects = await read(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
    assert (body, connects) == (b"ok", 2)


async def test_informational_answers_are_passed_over():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    response, body, connects = await read(early + PLAIN)
    assert (response.status, body, connects) == (200, b"hello", 1)
    assert response.header("link") == ""


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_statuses_without_a_body_do_not_wait_for_the_length_they_name(status):
    _, body, connects = await read(b"HTTP/1.1 " + status + b"\r\ncontent-length: 10\r\n\r\n")
    assert (body, connects) == (b"", 1)


@pytest.mark.parametrize("framing", [b"content-length: 10", b"transfer-encoding: chunked", b"x: y"])
async def test_head_has_no_body_whatever_its_headers_say(framing):
    response, body, connects = await read(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n", method="HEAD")
    assert (response.status, body, connects) == (200, b"", 1)


async def test_head_answered_with_a_body_never_leaks_it_into_the_next_answer():
    _, body, connects = await read(PLAIN, method="HEAD")
    assert (body, connects) == (b"", 2)


async def test_bytes_after_the_answer_never_become_the_next_answer():
    stray = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    for extra in (stray, stray[:10], b"junk"):
        _, body, connects = await read(PLAIN + extra)
        assert (body, connects) == (b"hello", 2)


async def test_bytes_that_arrive_on_an_idle_connection_close_it():
    async def script(talk: Talk) -> None:
        await talk.send(PLAIN)
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

    async with upstream(script) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            assert await response.read() == b"hello"
        await server.until_open_connections(0)
        async with client.request("GET", server.url()) as response:
            assert await response.read() == b"hello"
        assert server.connects == 2


@pytest.mark.parametrize(
    "payload",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(payload):
    async with upstream(answering(payload)) as server, EgressClient(OPEN) as client:
        with pytest.raises(UpstreamBroken, match="does not speak HTTP"):
            async with client.request("GET", server.url()) as response:
                await response.read()
        await server.until_open_connections(0)
