"""Forwarding headers from a proxy that was named, and from anybody else: both planes see the same."""

import json

import pytest

from tests.house import ADMIN, house

pytestmark = [pytest.mark.engines]

FORWARDED = {
    "x-forwarded-for": "198.51.100.9",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "ai.example.com",
}


@pytest.fixture(scope="module", params=["127.0.0.0/8", ""])
def home(request, tmp_path_factory):
    settings = {
        "BROKLE_TRUSTED_PROXIES": request.param,
        "BROKLE_ALLOWED_HOSTS": "ai.example.com,127.0.0.1",
        "BROKLE_ADMIN_EMAIL": ADMIN[0],
        "BROKLE_ADMIN_PASSWORD": ADMIN[1],
    }
    with house(tmp_path_factory.mktemp("proxied") / "data", **settings) as started:
        started.trusts = bool(request.param)
        yield started


def test_the_console_takes_host_and_scheme_from_a_named_proxy_only(home):
    spoofed = home.get("/auth/login", **{**FORWARDED, "x-forwarded-host": "evil.example"})
    proxied = home.get("/auth/login", **FORWARDED)

    # A host that is not answered shows whose host it was that Django read.
    assert (spoofed.status, proxied.status) == ((400, 200) if home.trusts else (200, 200))


def test_the_edge_sees_the_same_caller(home):
    through = home.get("/metrics", **FORWARDED)
    from_the_proxys_machine = home.get("/metrics", **{"x-forwarded-for": "127.0.0.1"})

    assert through.status == 403
    assert json.loads(through.body)["code"] == "forbidden"
    assert from_the_proxys_machine.status == 403
    assert home.get("/metrics").status == 200


@pytest.mark.parametrize("headers", [FORWARDED, {"x-forwarded-for": "127.0.0.1"}, {"x-forwarded-proto": "https"}])
def test_through_a_proxy_health_is_one_word(home, headers):
    parts = ("", "/db", "/cache", "/analytics", "/live", "/ready")
    answers = [home.get(f"/health{part}", **headers) for part in parts]

    assert [(answer.status, answer.json()) for answer in answers] == [(200, {"status": "ok"})] * len(parts)
    assert set(home.get("/health").json()) == {"status", "version", "checks", "processes"}
