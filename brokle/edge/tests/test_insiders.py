import pytest

from brokle.edge.http import Request
from brokle.edge.insiders import Insiders
from brokle.edge.proxies import TrustedProxies

TOKEN = "a-token-for-the-scraper"


def call(peer="127.0.0.1", **headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = (peer, 1) if peer else None
    return {"type": "http", "method": "GET", "path": "/health", "client": client, "scheme": "http", "headers": pairs}


def is_insider(scope, token=TOKEN):
    return Insiders(token).include(Request(scope, None, None))


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_speaking_for_itself_is_one(peer):
    assert is_insider(call(peer))
    assert is_insider(call(peer), token="")


@pytest.mark.parametrize("peer", ["198.51.100.9", "10.0.0.1", "::ffff:198.51.100.9", "2001:db8::5", "unix:", ""])
def test_nobody_else_is_without_the_token(peer):
    assert not is_insider(call(peer))
    assert is_insider(call(peer, authorization=f"Bearer {TOKEN}"))


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_a_wrong_token_is_none(given):
    assert not is_insider(call("198.51.100.9", authorization=given))
    assert not is_insider(call("198.51.100.9", authorization=given), token="")


@pytest.mark.parametrize(
    "header", ["x_forwarded_for", "x_forwarded_proto", "x_forwarded_host", "forwarded", "x_real_ip", "via"]
)
def test_who_came_through_a_proxy_on_this_machine_is_not_this_machine(header):
    assert not is_insider(call(**{header: "127.0.0.1"}))
    assert is_insider(call(**{header: "127.0.0.1"}, authorization=f"bearer {TOKEN}"))


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_forwarded_proto"])
def test_a_proxy_that_is_trusted_lends_its_own_place_to_nobody(header):
    scope = call(**{header: "127.0.0.1"})
    TrustedProxies(["127.0.0.0/8"]).correct(scope)

    assert scope["headers"] == []
    assert not is_insider(scope)


def test_a_trusted_address_that_calls_for_itself_is_one():
    scope = call()
    TrustedProxies(["127.0.0.0/8"]).correct(scope)

    assert is_insider(scope)
