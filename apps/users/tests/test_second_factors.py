import json
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, account_actions, make_verified_person, promised_letters
from brokle.ground.models import AuditEntry
from tests.fakes.authenticator import Authenticator as Device

pytestmark = pytest.mark.engines


def code_for(secret, offset=0):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + offset))


def signed_in(*, proven=True):
    client = Client()
    client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})
    if proven:
        client.post("/auth/reauthenticate", {"password": PASSWORD})
    return client


def with_codes(client):
    secret = client.get("/settings/security/codes").context["form"].secret
    response = client.post("/settings/security/codes", {"code": code_for(secret)})
    assert (response.status_code, response["location"]) == (302, "/settings/security/recovery-codes")
    return secret


def recovery_codes(client):
    return client.get("/settings/security/recovery-codes").context["unused_codes"]


@pytest.mark.parametrize(
    "path",
    ["/settings/security/codes", "/settings/security/passkeys/add", "/settings/security/recovery-codes/renew"],
)
def test_a_change_of_second_factors_asks_once_more_who_it_is(amal, path):
    response = signed_in(proven=False).get(path)

    assert (response.status_code, response["location"]) == (
        302,
        f"/auth/reauthenticate?next={path.replace('/', '%2F')}",
    )


def test_after_the_proof_one_comes_back(amal):
    client = signed_in(proven=False)
    page = client.get("/settings/security/codes", follow=True)
    assert "Is it you?" in page.content.decode()
    wrong = client.post("/auth/reauthenticate", {"password": "not-it", "next": "/settings/security/codes"})
    right = client.post("/auth/reauthenticate", {"password": PASSWORD, "next": "/settings/security/codes"})

    assert (wrong.status_code, right["location"]) == (422, "/settings/security/codes")


def test_an_authenticator_app_is_set_up_and_its_secret_is_sealed(amal, django_capture_on_commit_callbacks):
    client = signed_in()
    with django_capture_on_commit_callbacks(execute=True):
        secret = with_codes(client)
    kept = Authenticator.objects.get(type="totp")

    assert secret not in str(kept.data)
    assert len(recovery_codes(client)) == 10
    assert account_actions() == ["signed_in", "mfa_added", "mfa_added"]
    assert [entry.after["type"] for entry in AuditEntry.objects.filter(action="account.mfa_added")] == [
        "totp",
        "recovery_codes",
    ]
    assert [letter.subject for letter in promised_letters()] == ["A sign-in method was added"]
    assert "Authenticator app" in promised_letters()[0].text


def test_a_wrong_first_code_sets_nothing_up(amal):
    client = signed_in()
    client.get("/settings/security/codes")
    response = client.post("/settings/security/codes", {"code": "000000"})

    assert response.status_code == 422
    assert Authenticator.objects.count() == 0


def half_way():
    client = Client()
    response = client.post(
        "/auth/login", {"email": "amal@noor.example", "password": PASSWORD, "next": "/settings/sessions"}
    )
    assert (response.status_code, response["location"]) == (302, "/auth/login/code")
    return client


def test_the_password_alone_is_then_not_enough(amal):
    secret = with_codes(signed_in())
    client = half_way()
    assert "_auth_user_id" not in client.session
    assert client.get("/settings").status_code == 302
    assert client.post("/auth/login/code", {"code": "000000"}).status_code == 422
    response = client.post("/auth/login/code", {"code": code_for(secret, 1)})

    assert (response.status_code, response["location"]) == (302, "/settings/sessions")
    assert client.session["_auth_user_id"] == amal.pk


@pytest.mark.parametrize(("offset", "is_taken"), [(-2, True), (2, True), (-4, False), (4, False)])
def test_a_clock_may_be_a_minute_off(amal, offset, is_taken):
    secret = with_codes(signed_in())
    response = half_way().post("/auth/login/code", {"code": code_for(secret, offset)})

    assert (response.status_code == 302) is is_taken


def test_a_code_works_once(amal):
    secret = with_codes(signed_in())
    code = code_for(secret, 1)
    assert half_way().post("/auth/login/code", {"code": code}).status_code == 302

    assert half_way().post("/auth/login/code", {"code": code}).status_code == 422


def test_a_recovery_code_works_once_and_they_are_shown_once(amal):
    client = signed_in()
    with_codes(client)
    codes = recovery_codes(client)
    assert recovery_codes(client) == ["****"] * 10
    assert half_way().post("/auth/login/code", {"code": codes[0]}).status_code == 302
    assert half_way().post("/auth/login/code", {"code": codes[0]}).status_code == 422
    assert half_way().post("/auth/login/code", {"code": codes[1]}).status_code == 302


def test_new_recovery_codes_end_the_old(amal, django_capture_on_commit_callbacks):
    client = signed_in()
    with_codes(client)
    old = recovery_codes(client)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/settings/security/recovery-codes/renew")
    new = recovery_codes(client)

    assert len(set(old) | set(new)) == 20
    assert half_way().post("/auth/login/code", {"code": old[3]}).status_code == 422
    assert half_way().post("/auth/login/code", {"code": new[3]}).status_code == 302
    assert "Recovery codes" in promised_letters()[-1].text


def test_removing_the_last_factor_removes_the_recovery_codes_and_tells_by_mail(amal):
    client = signed_in()
    with_codes(client)
    response = client.post("/settings/security/codes/remove")

    assert (response.status_code, response["location"]) == (302, "/settings/security")
    assert Authenticator.objects.count() == 0
    assert account_actions() == ["signed_in", "mfa_added", "mfa_added", "mfa_removed", "mfa_removed"]
    assert promised_letters()[-1].subject == "A sign-in method was removed"


def test_who_is_half_way_cannot_reach_anything_and_can_turn_back(amal):
    with_codes(signed_in())
    client = half_way()
    for path in ("/settings", "/settings/security", "/dashboard", "/settings/sessions"):
        assert client.get(path)["location"].startswith("/auth/login?next=")
    client.post("/auth/logout")

    assert client.get("/auth/login/code")["location"] == "/auth/login"


def test_codes_are_guessed_five_times_at_most(amal):
    with_codes(signed_in())
    client = half_way()
    statuses = [client.post("/auth/login/code", {"code": f"{n:06}"}).status_code for n in range(7)]

    assert statuses == [422] * 5 + [429] * 2


def test_another_persons_passkey_cannot_be_touched(amal):
    other = make_verified_person("basim@noor.example")
    theirs = Authenticator.objects.create(user=other, type="webauthn", data={"name": "theirs", "credential": {}})
    client = signed_in()
    for deed in ("remove", "rename"):
        response = client.post(f"/settings/security/passkeys/{theirs.pk}/{deed}", {"name": "mine"})
        assert response.status_code == 404

    theirs.refresh_from_db()
    assert theirs.data["name"] == "theirs"


ASSERTION = json.dumps(
    {
        "id": "x",
        "rawId": "AA",
        "type": "public-key",
        "response": {"userHandle": "dXNyXzE", "clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"},
    }
)
ATTESTATION = json.dumps(
    {
        "id": "x",
        "rawId": "AA",
        "type": "public-key",
        "response": {"clientDataJSON": "e30", "attestationObject": "oA"},
    }
)


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "null",
        "[]",
        "7",
        '"x"',
        "{",
        "{}",
        '{"response": 7}',
        '{"response": {}}',
        '{"response": {"userHandle": null}}',
        '{"response": {"userHandle": "%%%"}}',
        ASSERTION,
        ATTESTATION,
        "[" * 50_000,
        "x" * 1_000_000,
        '{"response": {"a": "\\u0000"}}',
    ],
)
def test_what_no_browser_says_is_the_senders_mistake(amal, credential):
    client = Client(raise_request_exception=False)
    client.get("/auth/login/passkey", headers={"accept": "application/json"})
    assert client.post("/auth/login/passkey", {"credential": credential}).status_code in {302, 422}
    assert "_auth_user_id" not in client.session
    client = signed_in()
    client.raise_request_exception = False
    client.get("/settings/security/passkeys/add")
    assert client.post("/settings/security/passkeys/add", {"credential": credential}).status_code == 422

    assert Authenticator.objects.count() == 0


def test_a_person_may_rename_and_remove_a_passkey(amal):
    client = signed_in()
    mine = Authenticator.objects.create(user=amal, type="webauthn", data={"name": "old", "credential": {}})
    client.post(f"/settings/security/passkeys/{mine.pk}/rename", {"name": "Phone <b>"})
    mine.refresh_from_db()
    assert mine.data["name"] == "Phone <b>"
    assert "Phone &lt;b&gt;" in client.get("/settings/security").content.decode()
    client.post(f"/settings/security/passkeys/{mine.pk}/remove")

    assert Authenticator.objects.count() == 0
    assert promised_letters()[-1].subject == "A sign-in method was removed"


def own_passkey(client):
    """Added as a browser does it; the device signs in with it."""
    device = Device()
    options = client.get("/settings/security/passkeys/add").context["options"]
    answer = {"name": "Laptop", "credential": json.dumps(device.make(options))}
    assert client.post("/settings/security/passkeys/add", answer).status_code == 302
    return device


def sign_in_by(device):
    client = Client()
    asked = client.get("/auth/login/passkey", headers={"x-requested-with": "XMLHttpRequest"}).json()["request_options"]
    response = client.post("/auth/login/passkey", {"credential": json.dumps(device.answer(asked))})
    return client, response


def words_to(client):
    return [str(message) for message in client.get("/auth/login").context["messages"]]


def test_a_passkey_signs_in_by_itself(amal):
    client, response = sign_in_by(own_passkey(signed_in()))

    assert (response.status_code, client.session["_auth_user_id"]) == (302, amal.pk)
    assert AuditEntry.objects.filter(action="account.signed_in").last().after == {"methods": ["webauthn"]}


def test_the_passkey_of_a_locked_person_hears_what_an_unknown_one_hears(amal):
    browser = signed_in()
    known, unknown = own_passkey(browser), own_passkey(browser)
    Authenticator.objects.filter(type="webauthn").last().delete()
    User.objects.update(is_active=False)
    (locked, refused), (stranger, also) = sign_in_by(known), sign_in_by(unknown)

    assert [answer["location"] for answer in (refused, also)] == ["/auth/login"] * 2
    assert (
        words_to(locked)
        == words_to(stranger)
        == ["This did not sign you in. Try another way, or ask whoever runs this installation."]
    )
    assert "_auth_user_id" not in locked.session
    assert "account_authentication_methods" not in locked.session
    failed = AuditEntry.objects.filter(action="account.sign_in_failed")
    assert [entry.after for entry in failed] == [{"method": "webauthn"}] * 2


def test_who_is_locked_between_password_and_code_gets_no_further(amal):
    secret = with_codes(signed_in())
    client = half_way()
    User.objects.update(is_active=False)
    response = client.post("/auth/login/code", {"code": code_for(secret, 1)})

    assert (response.status_code, response["location"]) == (302, "/auth/login")
    assert "_auth_user_id" not in client.session
    assert AuditEntry.objects.filter(action="account.signed_in").count() == 1
    assert AuditEntry.objects.get(action="account.sign_in_failed").after == {"method": "totp"}
