import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from django.db import connections
from django.test import Client, RequestFactory

from apps.users import facade
from apps.users.models import User
from apps.users.testing import PASSWORD, account_actions, link_in, make_verified_person, promised_letters
from brokle.ground.models import AuditEntry

pytestmark = pytest.mark.engines

NEW = {"name": "Basim Nasser", "email": "Basim@Noor.example", "password1": PASSWORD}


def sign_up(client=None, **changes):
    return (client or Client()).post("/auth/signup", {**NEW, **changes})


def test_where_nobody_is_yet_the_sign_up_leads_to_the_onboarding(db):
    for path in ("/auth/signup", "/signup"):
        response = Client().get(path, follow=True)
        assert response.redirect_chain[-1][0] == "/onboarding"


def test_the_short_address_leads_to_the_sign_up(amal):
    assert Client().get("/signup?next=/settings")["location"] == "/auth/signup?next=/settings"


def test_with_a_relay_an_account_waits_for_the_proof_of_its_address(amal, mandatory):
    client = Client(headers={"accept-language": "ar"})
    response = sign_up(client)

    assert (response.status_code, response["location"]) == (302, "/auth/verify")
    assert "_auth_user_id" not in client.session
    user = User.objects.get(email="basim@noor.example")
    assert (user.name, user.language, user.check_password(PASSWORD)) == ("Basim Nasser", "ar", True)
    assert not EmailAddress.objects.get(user=user).verified
    assert [letter.to for letter in promised_letters()] == ["basim@noor.example"]
    assert account_actions() == ["signed_up"]


def test_the_link_of_the_mail_signs_in_the_browser_that_signed_up(amal, mandatory):
    client = Client()
    sign_up(client, next="/settings")
    path = link_in(promised_letters()[0])
    assert "Confirm" in client.get(path).content.decode()
    assert not EmailAddress.objects.get(email="basim@noor.example").verified
    response = client.post(path)

    assert (response.status_code, response["location"]) == (302, "/settings")
    user = User.objects.get(email="basim@noor.example")
    assert client.session["_auth_user_id"] == user.pk
    assert EmailAddress.objects.get(user=user).verified
    assert account_actions() == ["signed_up", "signed_in"]


def test_in_another_browser_the_link_confirms_and_signs_nobody_in(amal, mandatory):
    sign_up()
    other = Client()
    response = other.post(link_in(promised_letters()[0]))

    assert (response.status_code, response["location"]) == (302, "/auth/login")
    assert "_auth_user_id" not in other.session
    assert EmailAddress.objects.get(email="basim@noor.example").verified


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_was_used_or_invented_says_so(amal, mandatory, method):
    sign_up()
    path = link_in(promised_letters()[0])
    Client().post(path)
    for dead in (path, "/auth/verify/MQ:1tJxyz:nothing"):
        response = getattr(Client(), method)(dead)
        assert response.status_code == 410
        assert "This link no longer works" in response.content.decode()


def test_without_a_relay_one_goes_on_at_once_and_the_mail_stands_in_the_log(amal):
    client = Client()
    response = sign_up(client, next="/settings/security")

    assert (response.status_code, response["location"]) == (302, "/settings/security")
    assert client.session["_auth_user_id"] == User.objects.get(email="basim@noor.example").pk
    assert len(promised_letters()) == 1
    assert account_actions() == ["signed_up", "signed_in"]


def test_who_signed_up_is_the_actor_of_the_entry(amal):
    sign_up()
    entry = AuditEntry.objects.get(action="account.signed_up")
    user = User.objects.get(email="basim@noor.example")

    assert (entry.organization_id, entry.actor_kind, entry.actor_id) == ("", "user", user.pk)
    assert (entry.target_kind, entry.target_id, entry.after) == ("user", user.pk, {"method": "password"})
    assert entry.ip == "127.0.0.1"
    assert entry.request_id.startswith("req_")


@pytest.mark.parametrize("email", ["AMAL@NOOR.EXAMPLE", " amal@noor.example ", "Amal@Noor.Example"])
def test_case_variants_of_an_address_are_one_account(amal, email):
    response = sign_up(email=email)

    assert response.status_code == 422
    assert "There is already an account with this e-mail address." in response.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("password", ["short", "password123", "amal@noor.example"])
def test_a_weak_password_is_refused(amal, password):
    response = sign_up(email="amal2@noor.example", password1=password)

    assert response.status_code == 422
    assert (User.objects.count(), promised_letters()) == (1, [])


@pytest.mark.parametrize("mode", ["closed", "invited"])
def test_a_closed_house_takes_nobody(amal, settings, mode):
    settings.SIGNUP = mode
    page = Client().get("/auth/signup")
    response = sign_up()

    assert "An invitation is needed" in page.content.decode()
    assert "An invitation is needed" in response.content.decode()
    assert User.objects.count() == 1
    assert "Sign up" not in Client().get("/auth/login").content.decode()


def invited_client(email):
    client = Client()
    client.get("/auth/login")
    session = client.session
    session["here"] = 1
    session.save()
    client.cookies["brokle_session"] = session.session_key
    request = RequestFactory().get("/")
    request.session = session
    facade.invite_to_sign_up(request, email=email)
    session.save()
    return client


def test_an_invited_person_signs_up_with_the_invited_address_and_needs_no_other_proof(amal, settings, mandatory):
    settings.SIGNUP = "invited"
    client = invited_client("basim@noor.example")
    assert 'value="basim@noor.example"' in client.get("/auth/signup").content.decode()
    response = sign_up(client, next="/settings")

    assert (response.status_code, response["location"]) == (302, "/settings")
    assert EmailAddress.objects.get(email="basim@noor.example").verified
    assert promised_letters() == []


def test_an_invitation_is_for_its_address_alone(amal, settings):
    settings.SIGNUP = "invited"
    response = sign_up(invited_client("basim@noor.example"), email="other@noor.example")

    assert response.status_code == 422
    assert "The invitation is for another e-mail address." in response.content.decode()
    assert User.objects.count() == 1


def test_closed_is_closed_for_the_invited_too(amal, settings):
    settings.SIGNUP = "closed"
    sign_up(invited_client("basim@noor.example"))

    assert User.objects.count() == 1


def test_the_first_owner_is_verified(db, mandatory):
    user_id = facade.create_owner(email="Owner@Noor.example", password=PASSWORD)
    client = Client()
    client.post("/auth/login", {"email": "owner@noor.example", "password": PASSWORD})

    assert client.session["_auth_user_id"] == user_id
    assert EmailAddress.objects.get(user_id=user_id).verified


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verification", ["mandatory", "optional"])
def test_of_eight_at_the_same_moment_one_takes_the_address(settings, verification):
    settings.ACCOUNT_EMAIL_VERIFICATION = verification
    make_verified_person()
    barrier = threading.Barrier(8)

    def one(_):
        barrier.wait()
        try:
            return sign_up(Client(raise_request_exception=False)).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(one, range(8)))

    assert statuses == ([302] * 8 if verification == "mandatory" else [302] + [422] * 7)
    assert User.objects.filter(email="basim@noor.example").count() == 1
    assert account_actions().count("signed_up") == 1
