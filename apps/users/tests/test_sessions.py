import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from apps.users.testing import PASSWORD, account_actions, make_verified_person
from brokle.ground.models import AuditEntry

pytestmark = pytest.mark.engines

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604"
)


def signed_in(agent=FIREFOX, ip="192.0.2.7", email="amal@noor.example"):
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=ip)
    client.post("/auth/login", {"email": email, "password": PASSWORD})
    assert "_auth_user_id" in client.session
    return client


def id_of(client):
    return UserSession.objects.get(session_key=client.session.session_key).pk


def test_the_list_names_device_place_and_this_one(amal):
    signed_in(IPHONE, "2001:db8::7")
    client = signed_in()
    lines = client.get("/settings/sessions").context["sessions"]

    assert [(line.device, line.ip, line.is_handheld, line.is_this) for line in lines] == [
        ("Firefox · Linux", "192.0.2.7", False, True),
        ("Safari · iPhone", "2001:db8::7", True, False),
    ]


def test_the_address_is_the_connections_own_whatever_headers_say(amal):
    client = Client(headers={"user-agent": FIREFOX, "x-forwarded-for": "203.0.113.9"}, REMOTE_ADDR="192.0.2.7")
    client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})

    assert UserSession.objects.get().ip == "192.0.2.7"


def test_ending_one_session_ends_that_one(amal):
    client, other = signed_in(), signed_in(IPHONE)
    response = client.post(f"/settings/sessions/{id_of(other)}")

    assert (response.status_code, response["location"]) == (302, "/settings/sessions")
    assert other.get("/settings").status_code == 302
    assert client.get("/settings").status_code == 200
    entry = AuditEntry.objects.get(action="account.session_revoked")
    assert (entry.actor_id, entry.before["ip"]) == (amal.pk, "192.0.2.7")


def test_ending_this_session_signs_out(amal):
    client = signed_in()
    response = client.post(f"/settings/sessions/{id_of(client)}")

    assert response["location"] == "/auth/login"
    assert client.get("/settings").status_code == 302


def test_all_others_end_at_once(amal):
    client, *others = [signed_in() for _ in range(4)]
    client.post("/settings/sessions/others")

    assert [other.get("/settings").status_code for other in others] == [302] * 3
    assert client.get("/settings").status_code == 200
    assert account_actions() == ["signed_in"] * 4 + ["session_revoked"] * 3


def test_another_persons_session_is_not_there(amal):
    make_verified_person("basim@noor.example")
    theirs, client = signed_in(email="basim@noor.example"), signed_in()

    assert client.post(f"/settings/sessions/{id_of(theirs)}").status_code == 404
    assert theirs.get("/settings").status_code == 200
    assert UserSession.objects.count() == 2


def test_a_link_from_elsewhere_cannot_end_sessions(amal):
    client = signed_in()
    other = signed_in()

    assert client.get(f"/settings/sessions/{id_of(other)}").status_code == 405
    assert client.get("/settings/sessions/others").status_code == 405
    assert UserSession.objects.count() == 2


def test_the_last_use_is_kept_once_a_minute(amal):
    client = signed_in(ip="192.0.2.7")
    UserSession.objects.update(last_seen_at="2026-01-01T00:00:00Z")
    client.get("/settings", REMOTE_ADDR="192.0.2.8")
    first = UserSession.objects.get()
    UserSession.objects.update(last_seen_at="2026-01-01T00:00:00Z")
    client.get("/settings")

    assert (first.ip, first.last_seen_at.year > 2025 and first.last_seen_at.month > 1) == ("192.0.2.8", True)
    assert UserSession.objects.get().last_seen_at.isoformat() == "2026-01-01T00:00:00+00:00"
