"""The operator among people, on pages and over the API."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.orgs.services.tokens import issue_token
from apps.orgs.testing import call, make_household, make_operator, signed_in
from apps.users import facade as users
from apps.users.testing import promised_letters
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
LIST, PAGES = "/api/v1/operator/people", "/admin/people"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def amal(noor):
    return noor.owner


@pytest.fixture
def operator():
    return make_operator()


@pytest.fixture
def client(operator):
    return signed_in(operator)


def emails(answer):
    return [one["email"] for one in answer.json()["data"]]


def facts(person):
    return users.describe_person(user_id=person.pk)


def press(client, person, act, **fields):
    return client.post(f"{PAGES}/{person.pk}/{act}", fields, follow=True)


def test_people_are_listed_narrowed_and_paged(client, amal, operator):
    assert emails(call(client, "GET", LIST)) == ["owner@noor.example", "operator@brokle.example"]
    assert emails(call(client, "GET", f"{LIST}?q=noor")) == ["owner@noor.example"]
    assert emails(call(client, "GET", f"{LIST}?is_operator=true")) == ["operator@brokle.example"]
    assert emails(call(client, "GET", f"{LIST}?is_locked=true")) == []
    first = call(client, "GET", f"{LIST}?limit=1").json()
    assert emails(call(client, "GET", f"{LIST}?limit=1&cursor={first['next_cursor']}")) == ["operator@brokle.example"]
    html = client.get(f"{PAGES}?q=noor").content.decode()
    assert ("owner@noor.example" in html, f"{PAGES}/{operator.pk}" in html) == (True, False)


def test_a_person_is_shown_with_where_they_are_and_never_with_a_secret(client, noor, amal):
    token = issue_token(user_id=amal.pk, name="laptop", actor=SYSTEM)
    found = call(client, "GET", f"{LIST}/{amal.pk}").json()
    html = client.get(f"{PAGES}/{amal.pk}").content.decode()

    assert found["organizations"] == [{"id": noor.id, "name": "Noor", "slug": "noor", "role": "owner"}]
    assert (found["is_operator"], found["is_locked"], found["second_factors"]) == (False, False, [])
    assert f"/admin/organizations/{noor.id}" in html
    for secret in (token.value, amal.password):
        assert secret not in html
        assert secret not in str(found)


def test_over_the_api_a_person_is_locked_and_unlocked(client, amal):
    token = issue_token(user_id=amal.pk, name="laptop", actor=SYSTEM).value
    mine = lambda: call(Client(), "GET", "/api/v1/auth/me", authorization=f"Bearer {token}").status_code  # noqa: E731
    assert mine() == 200
    locked = call(client, "POST", f"{LIST}/{amal.pk}/lock", {"reason": "stolen"})
    assert (locked.status_code, locked.json()["is_locked"], locked.json()["lock_reason"], mine()) == (
        200,
        True,
        "stolen",
        401,
    )
    assert call(client, "POST", f"{LIST}/{amal.pk}/lock", {"reason": "again"}).status_code == 409
    assert call(client, "POST", f"{LIST}/{amal.pk}/unlock").json()["is_locked"] is False
    assert mine() == 200


def test_over_the_api_somebody_is_helped_in(client, amal):
    Authenticator.objects.create(user=amal, type=Authenticator.Type.TOTP, data={})
    removed = call(client, "POST", f"{LIST}/{amal.pk}/remove-second-factors")
    verified = call(client, "POST", f"{LIST}/{amal.pk}/verify-address")
    sent = call(client, "POST", f"{LIST}/{amal.pk}/send-password-reset")
    ended = call(client, "POST", f"{LIST}/{amal.pk}/end-sessions")

    assert (removed.json()["second_factors"], verified.json()["is_verified"]) == ([], True)
    assert (sent.status_code, ended.status_code) == (202, 200)
    assert [letter.subject for letter in promised_letters() if letter.to == amal.email] == [
        "Your second factors were removed",
        "Set a new password",
    ]


def test_a_call_that_comes_twice_acts_once(client, amal):
    answers = [
        call(client, "POST", f"{LIST}/{amal.pk}/lock", {"reason": "stolen"}, **{"idempotency-key": "one"})
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1]["idempotency-replayed"] == "true"
    assert AuditEntry.objects.filter(action="account.locked").count() == 1


def test_operators_are_made_and_unmade_but_not_by_themselves(client, amal, operator):
    made = call(client, "PUT", f"{LIST}/{amal.pk}/operator")
    oneself = call(client, "DELETE", f"{LIST}/{operator.pk}/operator")

    assert (made.status_code, made.json()["is_operator"], oneself.status_code) == (200, True, 409)
    assert call(signed_in(amal), "GET", LIST).status_code == 200
    assert call(client, "DELETE", f"{LIST}/{amal.pk}/operator").status_code == 204
    assert call(signed_in(amal), "GET", LIST).status_code == 404


@pytest.mark.parametrize("act", ["lock", "unmake-operator"])
def test_nobody_does_it_to_themselves(client, operator, act):
    page = press(client, operator, act, reason="a mistake").content.decode()

    assert "You cannot do this to yourself" in page
    assert (facts(operator).is_locked, facts(operator).is_operator) == (False, True)


def test_buttons_of_the_page_do_what_they_say(client, amal):
    EmailAddress.objects.filter(user=amal).delete()
    Authenticator.objects.create(user=amal, type=Authenticator.Type.TOTP, data={})

    assert "The address counts as verified" in press(client, amal, "verify-address").content.decode()
    assert "The mail is on its way" in press(client, amal, "send-password-reset").content.decode()
    assert "Every session has ended" in press(client, amal, "end-sessions").content.decode()
    unconfirmed = press(client, amal, "remove-second-factors", confirm="somebody@else.example")
    assert "The address did not match" in unconfirmed.content.decode()
    assert facts(amal).second_factors == ["totp"]
    assert "are removed" in press(client, amal, "remove-second-factors", confirm=amal.email).content.decode()
    assert facts(amal).second_factors == []
    assert "Say why" in press(client, amal, "lock").content.decode()
    assert not facts(amal).is_locked
    assert "stolen &lt;laptop&gt;" in press(client, amal, "lock", reason="stolen <laptop>").content.decode()
    assert "The account is unlocked" in press(client, amal, "unlock").content.decode()
    assert "is an operator now" in press(client, amal, "make-operator").content.decode()
    assert "no operator any more" in press(client, amal, "unmake-operator").content.decode()


def test_what_is_no_button_or_no_person_is_not_there(client, amal):
    assert press(client, amal, "delete").status_code == 404
    assert client.get(f"{PAGES}/usr_nobody").status_code == 404
    assert call(client, "POST", f"{LIST}/usr_nobody/lock", {"reason": "x"}).status_code == 404
    assert client.get(f"{PAGES}/{amal.pk}/lock").status_code == 405
