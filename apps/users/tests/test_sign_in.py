import hashlib
import hmac

import bcrypt
import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as conf
from django.contrib.auth.hashers import identify_hasher
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, account_actions, promised_letters
from brokle.ground.models import AuditEntry

pytestmark = pytest.mark.engines

REAL_HASHERS = [
    "brokle.web.passwords.Argon2",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
]


def sign_in(client=None, email="amal@noor.example", password=PASSWORD, **more):
    return (client or Client()).post("/auth/login", {"email": email, "password": password, **more})


@pytest.mark.parametrize("email", ["amal@noor.example", "AMAL@noor.EXAMPLE", "  amal@noor.example"])
def test_the_right_password_opens_a_session(amal, email):
    client = Client()
    response = sign_in(client, email)

    assert (response.status_code, response["location"]) == (302, "/dashboard")
    assert client.session["_auth_user_id"] == amal.pk
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.after) == ("account.signed_in", amal.pk, {"methods": ["password"]})


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_the_way_after_never_leaves_this_site(amal, target):
    assert sign_in(next=target)["location"] == "/dashboard"


def test_the_way_after_leads_where_one_wanted_to_go(amal):
    assert 'name="next" value="/noor/"' in Client().get("/auth/login?next=/noor/").content.decode()
    assert sign_in(next="/noor/?env=a/b")["location"] == "/noor/?env=a/b"


def test_a_wrong_password_is_recorded_without_the_address(amal):
    response = sign_in(password="not-the-password")

    assert response.status_code == 422
    assert "do not belong together" in response.content.decode()
    entry = AuditEntry.objects.get()
    mark = hmac.digest(conf.PEPPER, b"amal@noor.example", hashlib.sha256).hex()[:32]
    assert (entry.action, entry.actor_kind, entry.target_id) == ("account.sign_in_failed", "anonymous", mark)
    assert "amal" not in str([entry.after, entry.before, entry.actor_id, entry.target_id])


def test_a_locked_person_hears_what_a_wrong_password_hears(amal):
    User.objects.update(is_active=False)
    client = Client()
    response, wrong = sign_in(client), sign_in(password="not-the-password")

    assert (response.status_code, wrong.status_code) == (422, 422)
    assert "do not belong together" in response.content.decode()
    assert "suspended" not in response.content.decode()
    assert "_auth_user_id" not in client.session
    assert [entry.action for entry in AuditEntry.objects.all()] == ["account.sign_in_failed"] * 2


def test_a_right_password_of_a_locked_person_counts_as_an_attempt(amal):
    User.objects.update(is_active=False)

    assert [sign_in().status_code for _ in range(6)] == [422] * 5 + [429]


def test_where_proof_is_mandatory_an_unverified_person_gets_another_mail_and_no_session(amal, mandatory):
    EmailAddress.objects.update(verified=False)
    client = Client()
    response = sign_in(client)

    assert (response.status_code, response["location"]) == (302, "/auth/verify")
    assert "_auth_user_id" not in client.session
    assert [letter.subject for letter in promised_letters()] == ["Confirm your e-mail address"]


def test_signing_out_ends_the_session_and_asks_first(amal):
    client = Client()
    sign_in(client)
    assert "Sign out?" in client.get("/auth/logout").content.decode()
    assert client.session["_auth_user_id"] == amal.pk
    response = client.post("/auth/logout")

    assert (response.status_code, response["location"]) == (302, "/auth/login")
    assert "_auth_user_id" not in client.session
    assert account_actions() == ["signed_in", "signed_out"]


def test_the_language_of_the_account_is_remembered_at_the_sign_in(amal):
    User.objects.update(language="ar", theme="dark")
    response = sign_in()

    assert (response.cookies["brokle_language"].value, response.cookies["brokle_theme"].value) == ("ar", "dark")


def test_a_bcrypt_hash_is_verified_and_becomes_argon2(amal, settings):
    settings.PASSWORD_HASHERS = REAL_HASHERS
    found = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=6)).decode()
    User.objects.update(password=f"bcrypt${found}")
    assert sign_in(password="not-the-password").status_code == 422
    assert User.objects.get().password == f"bcrypt${found}"
    client = Client()
    sign_in(client)

    user = User.objects.get()
    assert user.password.startswith("argon2$argon2id$v=19$m=47104,t=2,p=1$")
    assert client.session["_auth_user_id"] == amal.pk
    assert client.get("/settings").status_code == 200
    assert sign_in().status_code == 302


def test_an_argon2_hash_of_weaker_settings_is_made_anew(amal, settings):
    settings.PASSWORD_HASHERS = REAL_HASHERS
    weak = type("Weak", (type(identify_hasher("argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$x")),), {})()
    weak.memory_cost, weak.time_cost = 1024, 1
    User.objects.update(password=weak.encode(PASSWORD, weak.salt()))
    sign_in()

    assert "$m=47104,t=2,p=1$" in User.objects.get().password
