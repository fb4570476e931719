import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, account_actions, link_in, promised_letters

pytestmark = pytest.mark.engines

NEW = "another-long-password"


def signed_in(email="amal@noor.example", password=PASSWORD):
    client = Client()
    client.post("/auth/login", {"email": email, "password": password})
    assert "_auth_user_id" in client.session
    return client


def reset_link(email="amal@noor.example"):
    Client().post("/auth/password/reset", {"email": email})
    return link_in(promised_letters()[-1])


def test_the_link_of_the_mail_sets_a_new_password_once(amal):
    other = signed_in()
    client = Client()
    path = reset_link()
    page = client.get(path, follow=True)
    assert page.redirect_chain[-1][0].endswith("-set-password")
    response = client.post(page.redirect_chain[-1][0], {"password1": NEW})

    assert (response.status_code, response["location"]) == (302, "/auth/password/reset/done")
    assert User.objects.get().check_password(NEW)
    assert other.get("/settings").status_code == 302
    assert account_actions() == ["signed_in", "password_changed"]
    assert [letter.subject for letter in promised_letters()] == ["Set a new password", "Your password was changed"]
    again = Client().get(path)
    assert again.status_code == 410
    assert "This link no longer works" in again.content.decode()


def test_a_weak_new_password_changes_nothing(amal):
    client = Client()
    page = client.get(reset_link(), follow=True)
    response = client.post(page.redirect_chain[-1][0], {"password1": "short"})

    assert response.status_code == 422
    assert User.objects.get().check_password(PASSWORD)
    assert account_actions() == []


@pytest.mark.parametrize(
    "path",
    ["/auth/password/reset/usr_none-abc-def", "/auth/password/reset/x-set-password", "/auth/password/reset/x-%00"],
)
def test_an_invented_link_is_dead(amal, path):
    assert Client().get(path).status_code == 410


def test_a_reset_proves_the_mailbox_and_throws_out_what_a_squatter_prepared(db):
    squatted = User.objects.create_user("victim@noor.example", "the-squatters-password")
    EmailAddress.objects.create(user=squatted, email=squatted.email, primary=True, verified=False)
    Authenticator.objects.create(user=squatted, type="totp", data={"secret": "x"})
    client = Client()
    page = client.get(reset_link("victim@noor.example"), follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": NEW})

    assert EmailAddress.objects.get().verified
    assert Authenticator.objects.count() == 0


def test_a_reset_keeps_the_second_factor_of_a_verified_person(amal):
    Authenticator.objects.create(user=amal, type="totp", data={"secret": "x"})
    client = Client()
    page = client.get(reset_link(), follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": NEW})

    assert Authenticator.objects.count() == 1


def test_changing_the_password_keeps_this_session_and_ends_the_others(amal):
    client, other = signed_in(), signed_in()
    response = client.post("/settings/security/password", {"oldpassword": PASSWORD, "password1": NEW})

    assert (response.status_code, response["location"]) == (302, "/settings/security")
    assert client.get("/settings").status_code == 200
    assert other.get("/settings").status_code == 302
    assert User.objects.get().check_password(NEW)
    assert account_actions() == ["signed_in", "signed_in", "password_changed"]
    assert [letter.subject for letter in promised_letters()] == ["Your password was changed"]


def test_the_current_password_is_asked(amal):
    client = signed_in()
    response = client.post("/settings/security/password", {"oldpassword": "not-it", "password1": NEW})

    assert response.status_code == 422
    assert "This is not your current password." in response.content.decode()
    assert User.objects.get().check_password(PASSWORD)
    assert promised_letters() == []
