import pytest

from brokle.edge.proxies import TrustedProxies, UnableToTrust

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])


def corrected(peer="10.1.2.3", kind="http", scheme="http", **headers):
    pairs = [(b"host", b"inside:8080"), *((n.replace("_", "-").encode(), v.encode()) for n, v in headers.items())]
    scope = {"type": kind, "client": (peer, 1), "scheme": scheme, "headers": pairs}
    PROXIES.correct(scope)
    return scope


def test_a_trusted_proxy_says_who_calls_how_and_where():
    scope = corrected(x_forwarded_for="198.51.100.9", x_forwarded_proto="https", x_forwarded_host="ai.example.com")

    assert (scope["client"], scope["scheme"]) == (("198.51.100.9", 0), "https")
    assert scope["headers"] == [(b"host", b"ai.example.com")]


def test_nobody_else_is_believed():
    headers = {"x_forwarded_for": "198.51.100.9", "x_forwarded_proto": "https", "x_forwarded_host": "evil.example"}
    scope = corrected("203.0.113.5", **headers)

    assert (scope["client"], scope["scheme"]) == (("203.0.113.5", 1), "http")
    assert scope["headers"][0] == (b"host", b"inside:8080")


@pytest.mark.parametrize(
    ("chain", "caller"),
    [
        ("127.0.0.1, 198.51.100.9", "198.51.100.9"),
        ("127.0.0.1, 198.51.100.9, 10.9.9.9, 192.0.2.7", "198.51.100.9"),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        ("198.51.100.9:4711", "198.51.100.9"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("198.51.100.9, not an address", "10.1.2.3"),
        ("", "10.1.2.3"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy_is_the_caller(chain, caller):
    assert corrected(x_forwarded_for=chain)["client"][0] == caller


def test_a_websocket_gets_its_own_scheme():
    assert corrected(kind="websocket", scheme="ws", x_forwarded_proto="https")["scheme"] == "wss"


@pytest.mark.parametrize("proto", ["javascript", "", "https, ftp"])
def test_an_unknown_scheme_changes_nothing(proto):
    assert corrected(x_forwarded_proto=proto)["scheme"] == "http"


def test_the_nearest_proxys_word_counts():
    scope = corrected(x_forwarded_host="evil.example, ai.example.com", x_forwarded_proto="http, https")

    assert (scope["headers"], scope["scheme"]) == ([(b"host", b"ai.example.com")], "https")


def test_addresses_in_either_form_are_recognised():
    assert PROXIES.trusts("::ffff:10.1.1.1")
    assert PROXIES.trusts("fd00::1")
    assert not PROXIES.trusts("11.0.0.1")
    assert not PROXIES.trusts("unix:")


def test_a_wrong_cidr_is_refused_by_name():
    with pytest.raises(UnableToTrust, match=r"BROKLE_TRUSTED_PROXIES: '10\.0\.0\.0/99'"):
        TrustedProxies(["10.0.0.0/99"])
