from datetime import timedelta

import pytest
from django.test import Client

from apps.orgs.models import DeviceGrant, PersonalToken
from apps.orgs.services import devices
from apps.orgs.testing import call, make_household, signed_in
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
BEGIN, POLL, PAGE = "/api/v1/auth/device", "/api/v1/auth/device/token", "/auth/device"


@pytest.fixture
def noor():
    return make_household("noor")


def begun():
    return call(Client(), "POST", BEGIN, {"client": "brokle on laptop"}).json()


def polled(device_code):
    return call(Client(), "POST", POLL, {"device_code": device_code})


def later(seconds):
    return lambda: utc_now() + timedelta(seconds=seconds)


def test_a_person_approves_and_the_command_line_acts_as_them_once(noor):
    asked = begun()
    assert polled(asked["device_code"]).json()["error"] == "authorization_pending"
    owner = signed_in(noor.owner)
    shown = owner.get(asked["verification_uri_complete"])
    assert "brokle on laptop" in shown.content.decode()
    done = owner.post(PAGE, {"code": asked["user_code"].lower().replace("-", " "), "decision": "approve"})
    assert done.status_code == 200

    answer = polled(asked["device_code"]).json()
    assert answer["token_type"] == "Bearer"
    mine = call(Client(), "GET", "/api/v1/organizations", authorization=f"Bearer {answer['access_token']}").json()
    assert [organization["slug"] for organization in mine["data"]] == ["noor"]
    assert polled(asked["device_code"]).json()["error"] == "invalid_grant"
    token = PersonalToken.objects.get()
    assert (token.name, token.user_id) == ("brokle on laptop", noor.owner.pk)
    assert timedelta(days=89) < token.expires_at - utc_now() <= timedelta(days=90)


def test_a_denial_is_told_and_gives_nothing(noor):
    asked = begun()
    signed_in(noor.owner).post(PAGE, {"code": asked["user_code"], "decision": "deny"})

    assert polled(asked["device_code"]).json()["error"] == "access_denied"
    assert not PersonalToken.objects.exists()


def test_asking_too_fast_or_too_late_is_told(noor):
    asked = devices.ask(client="x", ip=None)
    first = devices.poll(device_code=asked.device_code, actor=SYSTEM)
    second = devices.poll(device_code=asked.device_code, actor=SYSTEM, clock=later(1))
    third = devices.poll(device_code=asked.device_code, actor=SYSTEM, clock=later(5))
    last = devices.poll(device_code=asked.device_code, actor=SYSTEM, clock=later(601))

    assert [r.code for r in (first, second, third, last)] == [
        "authorization_pending",
        "slow_down",
        "authorization_pending",
        "expired_token",
    ]
    assert devices.find_waiting(asked.user_code, clock=later(601)) is None
    assert devices.forget_old(clock=later(1300)) == 1


def test_nobody_approves_without_signing_in():
    asked = begun()
    answer = Client().post(PAGE, {"code": asked["user_code"], "decision": "approve"})

    assert (answer.status_code, answer["location"].partition("?")[0]) == (302, "/auth/login")
    assert DeviceGrant.objects.get().approved_by == ""


@pytest.mark.parametrize("code", ["XXXX-XXXX", "' OR 1=1", "<script>", "\u0628" * 40, "a" * 5000])
def test_codes_that_nobody_waits_with_find_nothing(noor, code):
    answer = signed_in(noor.owner).get(PAGE, {"code": code})
    assert answer.status_code == 404
    assert "<script>" not in answer.content.decode().split("</head>")[1].replace('<script type="module"', "")


def test_a_code_is_guarded_against_guessing(noor):
    owner = signed_in(noor.owner)
    statuses = [owner.get(PAGE, {"code": "BBBB-BBBB"}).status_code for _ in range(22)]
    assert (statuses[0], statuses[-1]) == (404, 429)
