import asyncio

import pytest

from brokle.edge.egress import EgressClient, EgressRefused, Limits, Policy
from brokle.edge.egress.errors import DeadlinePassed
from brokle.edge.egress.redirects import next_hop
from tests.fakes.upstream import Talk, answering, upstream

OPEN = Policy(allow=["127.0.0.1"])
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECRETS = {
    "Authorization": "Bearer s",
    "Cookie": "a=b",
    "X-Api-Key": "s",
    "x-goog-api-key": "s",
    "X-Custom-Token": "s",
    "Accept": "text/html",
}


def to(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


async def test_redirects_are_not_followed_unless_asked():
    async with upstream(answering(to("/next"))) as server, EgressClient(OPEN) as client:
        async with client.request("GET", server.url()) as response:
            assert (response.status, response.header("location")) == (302, "/next")
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://2852039166/"]
)
async def test_a_redirect_to_metadata_is_refused(status, location):
    async with upstream(answering(to(location, status))) as server, EgressClient(OPEN) as client:
        with pytest.raises(EgressRefused):
            async with client.request("POST", server.url(), body=b"x", redirects=3):
                pass
        assert len(server.requests) == 1


async def test_at_most_three_redirects_are_followed():
    async with upstream(answering(to("/again"))) as server, EgressClient(OPEN) as client:
        with pytest.raises(EgressRefused, match="more than 3 redirects"):
            async with client.request("GET", server.url(), redirects=99):
                pass
        assert len(server.requests) == 4


async def test_the_total_deadline_covers_all_hops():
    async def script(talk: Talk) -> None:
        if talk.request.target == "/silent":
            await talk.until_closed()
        await asyncio.sleep(0.3)
        await talk.send(to("/silent"))

    async with upstream(script) as server, EgressClient(OPEN, limits=Limits(total_s=2)) as client:
        started = client.loop.time()
        with pytest.raises(DeadlinePassed):
            async with client.request("GET", server.url(), redirects=3):
                pass
        assert client.loop.time() - started >= 1.99
        assert len(server.requests) == 2


async def test_secrets_stay_with_their_origin():
    async with upstream(answering(PLAIN)) as other, upstream(answering(to(other.url("/there")))) as server:
        async with (
            EgressClient(OPEN) as client,
            client.request("GET", server.url(), headers=SECRETS, redirects=1) as response,
        ):
            assert await response.read() == b"ok"
        assert server.requests[0].headers["authorization"] == "Bearer s"
        assert other.requests[0].headers == {
            "host": f"127.0.0.1:{other.port}",
            "user-agent": "brokle",
            "accept": "text/html",
        }


async def test_headers_stay_within_their_origin_and_the_body_is_sent_again():
    async def script(talk: Talk) -> None:
        await talk.send(PLAIN if talk.request.target == "/next?a=1" else to("/next?a=1#part", 307))

    async with upstream(script) as server, EgressClient(OPEN) as client:
        async with client.request("POST", server.url(), headers=SECRETS, body=b"again", redirects=1) as response:
            assert await response.read() == b"ok"
        assert [(r.method, r.body, r.headers["x-api-key"]) for r in server.requests] == [("POST", b"again", "s")] * 2


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("POST", 301, ("GET", None)),
        ("POST", 302, ("GET", None)),
        ("PUT", 302, ("PUT", b"x")),
        ("POST", 303, ("GET", None)),
        ("DELETE", 303, ("GET", None)),
        ("HEAD", 303, ("HEAD", b"x")),
        ("POST", 307, ("POST", b"x")),
        ("POST", 308, ("POST", b"x")),
    ],
)
def test_the_method_changes_as_browsers_agreed(method, status, expected):
    hop = next_hop(method, "https://a.example/", {"content-type": "a/b"}, b"x", status=status, location="/b")
    assert (hop.method, hop.body) == expected
    assert hop.url == "https://a.example/b"
    assert hop.headers == ([] if expected == ("GET", None) else [("content-type", "a/b")])


@pytest.mark.parametrize(
    "location", ["http://a.example/", "http://b.example/", "ftp://a.example/", "https://u:p@a.example/"]
)
def test_a_redirect_to_less_safety_is_refused(location):
    with pytest.raises(EgressRefused):
        next_hop("GET", "https://a.example/", {}, None, status=302, location=location)


async def test_a_streamed_body_is_not_sent_to_a_second_place():
    async def pieces():
        yield b"a"

    with pytest.raises(EgressRefused, match="streamed"):
        next_hop("POST", "https://a.example/", {}, pieces(), status=307, location="/b")
