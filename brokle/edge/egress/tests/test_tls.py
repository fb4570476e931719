import asyncio
import socket
import ssl
from ipaddress import ip_address

import pytest

from brokle.edge.egress import EgressClient, Limits, Policy
from brokle.edge.egress.errors import DeadlinePassed, UnableToConnect
from brokle.edge.egress.tls import client_context, ready
from tests.fakes.certificates import TestAuthority
from tests.fakes.upstream import Talk, answering, upstream

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TestAuthority(tmp_path_factory.mktemp("authority"))


async def to_loopback(_host, _port):
    return [ip_address("127.0.0.1")]


NAMED = Policy(allow=["api.example"], resolve=to_loopback)


async def read(client, url):
    async with client.request("GET", url) as response:
        return await response.read()


async def test_the_name_is_sent_and_checked_while_the_address_is_pinned(authority):
    context = authority.server_context("api.example")
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with upstream(answering(PLAIN), tls=context) as server:
        async with EgressClient(NAMED, tls=ready(authority.client_context())) as client:
            for _ in range(3):
                assert await read(client, f"https://api.example:{server.port}/") == b"hello"
        assert names == ["api.example"]
        assert server.requests[0].headers["host"] == f"api.example:{server.port}"


async def test_a_certificate_for_another_name_is_refused(authority):
    async with upstream(answering(PLAIN), tls=authority.server_context("other.example")) as server:
        async with EgressClient(NAMED, tls=ready(authority.client_context())) as client:
            with pytest.raises(UnableToConnect, match="is not valid: Hostname mismatch"):
                await read(client, f"https://api.example:{server.port}/")
        assert server.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(authority):
    async with (
        upstream(answering(PLAIN), tls=authority.server_context("api.example")) as server,
        EgressClient(NAMED) as client,
    ):
        with pytest.raises(UnableToConnect, match="unable to get local issuer certificate"):
            await read(client, f"https://api.example:{server.port}/")


async def test_a_certificate_for_an_address_is_accepted(authority):
    policy = Policy(allow=["127.0.0.1"])
    async with (
        upstream(answering(PLAIN), tls=authority.server_context("127.0.0.1")) as server,
        EgressClient(policy, tls=ready(authority.client_context())) as client,
    ):
        assert await read(client, server.url()) == b"hello"


async def test_a_server_that_does_not_speak_tls_is_a_clear_error(authority):
    async def banner(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    listener = await asyncio.start_server(banner, "127.0.0.1", 0)
    async with EgressClient(NAMED) as client:
        with pytest.raises(UnableToConnect, match="broke off the connection"):
            await read(client, f"https://api.example:{listener.sockets[0].getsockname()[1]}/")
    listener.close()
    await listener.wait_closed()


async def test_a_handshake_that_never_ends_is_left_at_the_connect_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://api.example:{listener.getsockname()[1]}/"
        async with EgressClient(NAMED, limits=Limits(connect_s=0.2)) as client:
            with pytest.raises(DeadlinePassed, match="connecting took longer"):
                await read(client, url)


async def test_a_large_answer_and_a_cancelled_stream_work_over_tls(authority):
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + b"x" * 5_000_000)

    async with (
        upstream(script, tls=authority.server_context("api.example")) as server,
        EgressClient(NAMED, tls=ready(authority.client_context())) as client,
    ):
        url = f"https://api.example:{server.port}/"
        assert await read(client, url) == b"x" * 5_000_000
        async with client.request("GET", url) as response:
            await response.next_chunk()
        async with asyncio.timeout(30):
            await server.until_open_connections(0)


def test_the_default_context_checks_names_and_trusts_authorities():
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) > 50
