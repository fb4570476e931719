import asyncio
import os
import subprocess
import threading
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from brokle.edge.egress import EgressRefused, Limits, Policy
from brokle.edge.egress.connect_proxy import ConnectProxy, ProxyLimits
from brokle.edge.egress.door import Door
from brokle.edge.egress.errors import DeadlinePassed
from brokle.edge.egress.tls import ready
from tests.fakes.certificates import TestAuthority
from tests.fakes.upstream import Talk, answering, upstream

OPEN = Policy(allow=["127.0.0.1"])
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-One: 1\r\n\r\nhello"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def door(policy=OPEN, **options):
    before = set(threading.enumerate())  # the process may have a door of its own open
    opened = Door(policy, **options)
    try:
        yield opened
    finally:
        await asyncio.to_thread(opened.close)
        assert "egress-door" not in [thread.name for thread in set(threading.enumerate()) - before]


@asynccontextmanager
async def proxy(policy=OPEN, **options):
    opened = ConnectProxy(policy, **options)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.aclose()


async def test_synchronous_code_gets_answers_from_any_thread():
    async with upstream(answering(PLAIN)) as server, door() as opened:
        answers = await asyncio.gather(
            *(asyncio.to_thread(opened.fetch, "POST", server.url(), body=b"x") for _ in range(20))
        )
        assert {(answer.status, answer.body, answer.header("x-one")) for answer in answers} == {(200, b"hello", "1")}
        assert [request.body for request in server.requests] == [b"x"] * 20


async def test_synchronous_code_meets_the_same_policy_and_deadlines():
    async def silent(talk: Talk) -> None:
        await talk.until_closed()

    async with upstream(silent) as server, door(limits=Limits(total_s=1)) as opened:
        with pytest.raises(EgressRefused):
            await asyncio.to_thread(opened.fetch, "GET", "http://169.254.169.254/")
        with pytest.raises(DeadlinePassed):
            await asyncio.to_thread(opened.fetch, "GET", server.url())


async def test_synchronous_code_follows_redirects_and_unpacks_when_asked():
    async def script(talk: Talk) -> None:
        moved = b"HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n"
        await talk.send(moved if talk.request.target == "/a" else PLAIN)

    async with upstream(script) as server, door() as opened:
        assert (await asyncio.to_thread(opened.fetch, "GET", server.url("/a"))).status == 302
        followed = await asyncio.to_thread(opened.fetch, "GET", server.url("/a"), redirects=1, decode=True)
        assert followed.body == b"hello"


async def test_a_forked_process_opens_a_door_of_its_own():
    async with upstream(answering(PLAIN)) as server, door() as opened:
        await asyncio.to_thread(opened.fetch, "GET", server.url())
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if opened.fetch("GET", server.url()).body == b"hello" else 1)
            finally:
                os._exit(2)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert server.connects == 2


async def run(*command: str, proxy_url: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {
        "PATH": os.defpath,
        "https_proxy": proxy_url,
        "http_proxy": proxy_url,
        "no_proxy": "",
        "GIT_TERMINAL_PROMPT": "0",
        **environment,
    }
    return await asyncio.to_thread(subprocess.run, command, env=variables, capture_output=True, timeout=60, check=False)


def curl(*arguments: str) -> tuple[str, ...]:
    return ("curl", "-sS", "--noproxy", "", "-w", "%{http_code} %{http_connect}", *arguments)


async def test_curl_reaches_an_allowed_tls_host_through_the_proxy(authority):
    context = authority.server_context("127.0.0.1")
    async with upstream(answering(PLAIN), tls=context) as server, door() as opened:
        url = await asyncio.to_thread(opened.proxy_url)
        done = await run(*curl("--cacert", str(authority.path), server.url("/a")), proxy_url=url)
        assert (done.stdout, done.stderr) == (b"hello200 200", b"")
        assert "proxy-authorization" not in server.requests[0].headers
        assert await asyncio.to_thread(opened.proxy_url) == url


async def test_git_goes_through_the_proxy(authority):
    refs = b"001e# service=git-upload-pack\n0000" + b"003d" + b"a" * 40 + b" refs/heads/main\n"
    first = b"a" * 40 + b" HEAD\0agent=git/2\n"
    refs = b"001e# service=git-upload-pack\n0000%04x%b0000" % (len(first) + 4, first)
    kind = b"application/x-git-upload-pack-advertisement"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(refs))
    async with upstream(answering(head + refs), tls=authority.server_context("127.0.0.1")) as server:
        async with proxy() as opened:
            command = ("git", "ls-remote", server.url("/repo.git"))
            done = await run(*command, proxy_url=opened.url, GIT_SSL_CAINFO=str(authority.path))
        assert done.stdout == b"a" * 40 + b"\tHEAD\n"
        assert server.requests[0].target == "/repo.git/info/refs?service=git-upload-pack"


@pytest.mark.parametrize("target", ["https://127.0.0.1:1/", "https://localhost:1/", "https://169.254.169.254/"])
async def test_a_private_target_is_refused_with_one_line(target):
    async with proxy(Policy()) as opened:
        done = await run(*curl(target), proxy_url=opened.url)
        assert done.stdout == b"000 403"
        authority = urlsplit(target).netloc if ":" in urlsplit(target).netloc else "169.254.169.254:443"
        answer = await ask(opened, f"CONNECT {authority} HTTP/1.1\r\n{credentials(opened)}\r\n")
        head, _, reason = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert reason.count(b"\n") == 1
        assert b"address" in reason


async def test_plain_http_goes_to_allowed_hosts_only():
    async with upstream(answering(PLAIN)) as server, proxy() as opened:
        done = await run(*curl("-d", "body", server.url("/a?b=1")), proxy_url=opened.url)
        assert done.stdout == b"hello200 000"
        (request,) = server.requests
        assert (request.method, request.target, request.body) == ("POST", "/a?b=1", b"body")
        assert "proxy-authorization" not in request.headers
        assert request.headers["connection"] == "close"
        async with proxy(Policy()) as closed:
            refused = await run(*curl(server.url()), proxy_url=closed.url)
            assert refused.stdout.endswith(b"403 000")
        assert len(server.requests) == 1


async def test_without_the_password_nothing_passes():
    async with upstream(answering(PLAIN)) as server, proxy() as opened:
        port = urlsplit(opened.url).port
        for wrong in (f"http://127.0.0.1:{port}", f"http://brokle:wrong@127.0.0.1:{port}"):
            done = await run(*curl(server.url()), proxy_url=wrong)
            assert done.stdout.endswith(b"407 000")
        assert server.requests == []


def credentials(opened: ConnectProxy) -> str:
    return f"proxy-authorization: {opened._expected.decode()}\r\n"


async def ask(opened: ConnectProxy, *pieces: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(opened.url).port)
    for piece in pieces:
        writer.write(piece.encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_tunnel_carries_nothing_but_tls(authority):
    async with upstream(answering(PLAIN)) as server, proxy() as opened:
        connect = f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n{credentials(opened)}\r\n"
        answer = await ask(opened, connect, "GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert server.requests == []


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("CONNECT 127.0.0.1 HTTP/1.1", b"400"),
        ("CONNECT user@127.0.0.1:443 HTTP/1.1", b"400"),
        ("GET / HTTP/1.1", b"400"),
        ("GET https://127.0.0.1/ HTTP/1.1", b"400"),
        ("GET http://0x7f.1/ HTTP/1.1", b"403"),
        ("nonsense", b"400"),
        ("GET http://127.0.0.1/ HTTP/1.1\r\nbad header: x", b"400"),
        ("GET http://127.0.0.1/ HTTP/1.1\r\nx: a\nevil: b", b"400"),
        ("GET http://127.0.0.1/ HTTP/1.1\r\nx: " + "y" * 20_000, b"400"),
        ("GET http://127.0.0.1:1/ HTTP/1.1", b"502"),
    ],
)
async def test_requests_that_are_not_for_a_proxy_are_answered_and_closed(request_line, status):
    async with proxy() as opened:
        answer = await ask(opened, f"{request_line}\r\n{credentials(opened)}\r\n")
        assert answer[:12] == b"HTTP/1.1 " + status


async def test_a_tunnel_without_traffic_is_closed():
    async with upstream(answering(PLAIN)) as server, proxy(limits=ProxyLimits(idle_s=0.1)) as opened:
        connect = f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n{credentials(opened)}\r\n"
        async with asyncio.timeout(30):
            await ask(opened, connect, "\x16\x03")
            await server.until_open_connections(0)


async def test_more_connections_than_allowed_are_turned_away():
    async with proxy(limits=ProxyLimits(tunnels=0)) as opened:
        answer = await ask(opened, f"CONNECT 127.0.0.1:1 HTTP/1.1\r\n{credentials(opened)}\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")


async def test_the_door_reads_tls_with_the_given_authorities(authority):
    async with (
        upstream(answering(PLAIN), tls=authority.server_context("127.0.0.1")) as server,
        door(tls=ready(authority.client_context())) as opened,
    ):
        assert (await asyncio.to_thread(opened.fetch, "GET", server.url())).body == b"hello"


async def test_an_address_is_judged_without_calling_it():
    async with upstream(answering(PLAIN)) as server:
        async with door() as opened:
            await asyncio.to_thread(opened.check, server.url())
        async with door(Policy()) as closed:
            await asyncio.to_thread(closed.check, "https://1.1.1.1/hook")
            refused = (
                server.url(),
                "https://169.254.169.254/",
                "https://[::1]/",
                "ftp://1.1.1.1/",
                "https://u:p@1.1.1.1/",
            )
            for url in refused:
                with pytest.raises(EgressRefused):
                    await asyncio.to_thread(closed.check, url)
        assert server.connects == 0


async def test_only_the_beginning_of_an_answer_is_taken_when_that_is_asked_for():
    async def endless(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 5000)
        await talk.until_closed()

    async with upstream(endless) as server, door(limits=Limits(total_s=5, body_bytes=10)) as opened:
        answer = await asyncio.to_thread(opened.fetch, "POST", server.url(), body=b"x", first_bytes=2048)
        assert (answer.status, answer.body) == (200, b"x" * 2048)
        await server.until_open_connections(0)
