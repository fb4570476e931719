import asyncio
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from brokle.edge.egress import EgressClient, EgressRefused, FixedHost, Limits, Policy
from brokle.edge.egress.dialing import connect_socket
from brokle.edge.egress.errors import UnableToConnect, UnableToResolve, UpstreamBroken
from brokle.edge.egress.resolver import CachedResolver
from brokle.edge.egress.urls import parse_url
from brokle.settings.env import Environment
from tests.fakes.upstream import answering, upstream

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SHORT = Limits(connect_s=1, first_byte_s=1, idle_s=1, total_s=2)


@asynccontextmanager
async def trap():
    """Listens on every loopback address, IPv4 and IPv6, and counts who connects."""
    hits = []

    async def caught(_reader, writer):
        hits.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(caught, "0.0.0.0", 0)  # noqa: S104 - a trap must be everywhere
    port = server.sockets[0].getsockname()[1]
    six = await asyncio.start_server(caught, "::", port, family=socket.AF_INET6)
    try:
        yield port, hits
    finally:
        for listener in (server, six):
            listener.close()
            await listener.wait_closed()


HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "127.0.0.1.",
    "169.254.169.254",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[::1%lo]",
    "192.0.0.192",
    "224.0.0.1",
    "100.64.0.1",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HOSTS)
async def test_no_way_of_writing_a_private_address_connects(scheme, host):
    async with trap() as (port, hits), EgressClient(Policy(), limits=SHORT) as client:
        with pytest.raises(EgressRefused) as refused:
            async with client.request("GET", f"{scheme}://{host}:{port}/"):
                pass
        await asyncio.sleep(0)
        assert hits == []
        assert refused.value.status == 400
        assert refused.value.detail != ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user:secret@example.com/", "user name or password"),
        ("https://user@example.com/", "user name or password"),
        ("ftp://example.com/", "must start with https"),
        ("file:///etc/passwd", "must start with https"),
        ("//example.com/", "must start with https"),
        ("https:///path", "not a valid name"),
        ("https://exa mple.com/", "space"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://example.com/\r\nhost: evil", "control character"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "not valid"),
        ("https://[::1/", "not valid"),
        ("https://exa_mple..com/", "not a valid name"),
        ("https://" + "a" * 9000, "longer than"),
    ],
)
async def test_urls_that_are_not_plain_are_refused_with_the_reason(url, reason):
    with pytest.raises(EgressRefused, match=reason):
        parse_url(url)


async def test_plain_http_to_a_public_address_is_refused_unless_the_operator_says_so():
    url = parse_url("http://1.1.1.1/")
    with pytest.raises(EgressRefused, match="must be called with https"):
        await Policy().addresses(url.origin)
    assert await Policy(allow_http=True).addresses(url.origin) == [ip_address("1.1.1.1")]
    assert await Policy(allow=["1.1.1.1"]).addresses(url.origin) == [ip_address("1.1.1.1")]


@pytest.mark.parametrize(
    "entry", ["127.0.0.0/8", "127.0.0.1", "localhost", "LOCALHOST", "localhost:{port}", "127.0.0.1:{port}"]
)
async def test_what_the_operator_lists_is_reached(entry):
    async with upstream(answering(PLAIN)) as server:
        policy = Policy(allow=[entry.format(port=server.port)], resolve=only("127.0.0.1"))
        async with (
            EgressClient(policy) as client,
            client.request("GET", f"http://localhost:{server.port}/") as response,
        ):
            assert await response.read() == b"ok"
        assert server.requests[0].headers["host"] == f"localhost:{server.port}"


async def test_a_listed_port_opens_no_other_port():
    async with trap() as (port, hits), EgressClient(Policy(allow=[f"127.0.0.1:{port + 1}"])) as client:
        with pytest.raises(EgressRefused):
            async with client.request("GET", f"http://127.0.0.1:{port}/"):
                pass
        assert hits == []


async def test_development_mode_opens_private_networks_but_never_metadata():
    policy = Policy.from_environment(Environment({"BROKLE_DEV": "true"}))
    for host in ("127.0.0.1", "10.0.0.1", "[fd00::1]"):
        assert len(await policy.addresses(parse_url(f"http://{host}/").origin)) == 1
    for host in ("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "[::]"):
        with pytest.raises(EgressRefused):
            await policy.addresses(parse_url(f"http://{host}/").origin)


async def test_metadata_opens_only_by_its_exact_address():
    origin = parse_url("http://169.254.169.254/").origin
    with pytest.raises(EgressRefused):
        await Policy(allow=["0.0.0.0/0", "169.254.0.0/16"]).addresses(origin)
    assert await Policy(allow=["169.254.169.254"]).addresses(origin) == [ip_address("169.254.169.254")]


async def test_a_listed_name_does_not_open_metadata():
    policy = Policy(allow=["vllm.internal"], resolve=only("169.254.169.254"))
    with pytest.raises(EgressRefused, match="may never be called"):
        await policy.addresses(parse_url("https://vllm.internal/").origin)


async def test_fixed_hosts_of_the_operator_are_reached():
    policy = Policy(fixed=[FixedHost("127.0.0.1", 8123, "ClickHouse")])
    assert await policy.addresses(parse_url("http://127.0.0.1:8123/").origin) == [ip_address("127.0.0.1")]
    with pytest.raises(EgressRefused):
        await policy.addresses(parse_url("http://127.0.0.1:8124/").origin)


@pytest.mark.parametrize("entry", ["", "10.0.0.0/33", "a b", "host:port", "exa mple"])
def test_a_wrong_entry_of_the_operator_is_named(entry):
    with pytest.raises(EgressRefused):
        Policy(allow=[entry])


async def test_one_private_address_among_public_ones_refuses_the_name():
    policy = Policy(resolve=only("1.1.1.1", "127.0.0.1"))
    with pytest.raises(EgressRefused, match="is at a private address"):
        await policy.addresses(parse_url("https://mixed.example/").origin)


async def test_a_name_without_address_says_so():
    with pytest.raises(UnableToResolve, match="cannot be resolved"):
        await Policy().addresses(parse_url("https://nowhere.invalid/").origin)


def only(*texts):
    async def resolve(_host, _port):
        return [ip_address(text) for text in texts]

    return resolve


def rebinding():
    """Answers public first and loopback second, over and over, as a rebinding name server does."""
    calls = 0

    async def resolve(_host, _port):
        nonlocal calls
        calls += 1
        return [ip_address("1.1.1.1" if calls % 2 else "127.0.0.1")]

    return resolve


@pytest.mark.parametrize("cached", [False, True])
async def test_a_rebinding_name_server_never_gets_a_connection_to_loopback(cached):
    dialed = []

    async def connect(address, port):
        dialed.append(str(address))
        if address.is_loopback:
            return await connect_socket(address, port)
        raise ConnectionRefusedError

    resolve = CachedResolver(rebinding(), ttl_s=0) if cached else rebinding()
    async with trap() as (port, hits), EgressClient(Policy(resolve=resolve), connect=connect) as client:
        outcomes = [await outcome(client, f"https://rebind.example:{port}/") for _ in range(1000)]
        assert hits == []
    assert set(dialed) == {"1.1.1.1"}
    assert (outcomes.count(UnableToConnect), outcomes.count(EgressRefused)) == (500, 500)


async def outcome(client, url):
    try:
        async with client.request("GET", url):
            return None
    except (UnableToConnect, EgressRefused) as error:
        return type(error)


async def test_answers_are_kept_for_their_time_and_shared_by_those_who_wait():
    calls = []

    async def resolve(host, _port):
        calls.append(host)
        await asyncio.sleep(0)
        return [ip_address("1.1.1.1")]

    resolver = CachedResolver(resolve, ttl_s=60)
    await asyncio.gather(*(resolver("a.example", 443) for _ in range(50)))
    await resolver("a.example", 443)
    assert calls == ["a.example"]


async def test_the_cache_of_answers_is_bounded():
    resolver = CachedResolver(only("1.1.1.1"), size=10)
    for number in range(50):
        await resolver(f"h{number}.example", 443)
    assert len(resolver._answers) == 10


async def test_the_next_address_is_tried_when_the_first_refuses():
    tried = []

    async def connect(address, port):
        tried.append(str(address))
        if len(tried) == 1:
            raise ConnectionRefusedError
        return await connect_socket(ip_address("127.0.0.1"), port)

    async with upstream(answering(PLAIN)) as server:
        policy = Policy(allow=["two.example"], resolve=only("1.1.1.1", "8.8.8.8"))
        async with (
            EgressClient(policy, connect=connect) as client,
            client.request("GET", f"http://two.example:{server.port}/") as response,
        ):
            assert await response.read() == b"ok"
    assert tried == ["1.1.1.1", "8.8.8.8"]


async def test_the_trap_itself_catches():
    async with trap() as (port, hits), EgressClient(Policy(allow=["127.0.0.1", "::1"]), limits=SHORT) as client:
        for host in ("127.0.0.1", "[::1]"):
            await outcome_of_any(client, f"http://{host}:{port}/")
        assert len(hits) == 2


async def outcome_of_any(client, url):
    with pytest.raises(UpstreamBroken):
        async with client.request("GET", url):
            pass
