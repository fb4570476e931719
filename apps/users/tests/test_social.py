import base64
import json
import time
from functools import lru_cache

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.test import Client

from apps.users.models import User
from apps.users.services.social import SocialAdapter
from apps.users.testing import PASSWORD, account_actions, promised_letters
from brokle.edge.egress.door import Door
from brokle.edge.egress.policy import Policy
from brokle.ground.models import AuditEntry
from tests.fakes.github import CLIENT, github

pytestmark = pytest.mark.engines


class LoopbackAdapter(SocialAdapter):
    """May reach the GitHub of the tests, which the operator's policy refuses."""

    def door(self):
        return _loopback_door()


@lru_cache(maxsize=1)
def _loopback_door():
    return Door(Policy(["127.0.0.1"]))


@pytest.fixture
def hub(settings, monkeypatch):
    with github() as found:
        app = {"client_id": CLIENT[0], "secret": CLIENT[1]}
        settings.SOCIALACCOUNT_PROVIDERS = {
            "github": {"APPS": [app], "SCOPE": ["user:email"], "OAUTH_PKCE_ENABLED": True},
            "google": {"APPS": [app], "SCOPE": ["email"], "OAUTH_PKCE_ENABLED": True},
        }
        settings.SOCIALACCOUNT_ADAPTER = f"{__name__}.LoopbackAdapter"
        monkeypatch.setattr(GoogleOAuth2Adapter, "access_token_url", f"{found.url}/login/oauth/access_token")
        for name, path in {
            "access_token_url": "/login/oauth/access_token",
            "authorize_url": "/login/oauth/authorize",
            "profile_url": "/api/v3/user",
            "emails_url": "/api/v3/user/emails",
        }.items():
            monkeypatch.setattr(GitHubOAuth2Adapter, name, found.url + path)
        yield found


def come(hub, client=None, query=""):
    client = client or Client()
    start = client.get(f"/auth/github/login{query}")
    assert start.status_code == 302, start.content
    return client, client.get(hub.callback(start["location"]))


def notices(client):
    return client.get("/auth/login").content.decode()


def test_without_settings_the_doors_do_not_exist(amal):
    for path in ("/auth/github/login", "/auth/github/login/callback", "/auth/google/login"):
        assert Client().get(path).status_code == 404


def test_a_newcomer_with_a_verified_address_gets_an_account(amal, hub, mandatory):
    hub.knows("Basim@Noor.example")
    client, response = come(hub, query="?next=/settings")

    assert (response.status_code, response["location"]) == (302, "/settings")
    user = User.objects.get(email="basim@noor.example")
    assert client.session["_auth_user_id"] == user.pk
    assert (user.name, user.has_usable_password()) == ("Amal Haddad", False)
    assert EmailAddress.objects.get(user=user).verified
    assert account_actions() == ["signed_up", "signed_in"]
    assert SocialToken.objects.count() == 0


def test_the_verified_owner_of_the_address_is_linked_and_told(amal, hub):
    hub.knows("amal@noor.example")
    client, response = come(hub)

    assert response["location"] == "/dashboard"
    assert client.session["_auth_user_id"] == amal.pk
    assert SocialAccount.objects.get().user_id == amal.pk
    assert account_actions() == ["login_linked", "signed_in"]
    letter = promised_letters()[0]
    assert (letter.to, letter.subject) == ("amal@noor.example", "A sign-in method was added")
    assert "GitHub" in letter.text
    assert User.objects.get(pk=amal.pk).check_password(PASSWORD)


def test_an_unverified_account_is_never_taken_over(amal, hub):
    EmailAddress.objects.update(verified=False)
    hub.knows("amal@noor.example")
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "nobody has confirmed it yet" in notices(client)
    assert "_auth_user_id" not in client.session
    assert (SocialAccount.objects.count(), User.objects.count()) == (0, 1)
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("email", ["basim@noor.example", "amal@noor.example"])
def test_an_address_that_github_has_not_verified_counts_for_nothing(amal, hub, email):
    hub.knows(email, verified=False)
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "knows no verified e-mail address of yours" in notices(client)
    assert (SocialAccount.objects.count(), User.objects.count()) == (0, 1)


@pytest.mark.parametrize("email", ["аmal@noor.example", "amal@nооr.example"])  # noqa: RUF001 - Cyrillic
def test_a_look_alike_makes_no_account(amal, hub, email):
    hub.knows(email)
    come(hub)

    assert User.objects.count() == 1


def test_a_closed_house_takes_no_newcomer_this_way_either(amal, hub, settings):
    settings.SIGNUP = "closed"
    hub.knows("basim@noor.example")
    _, response = come(hub)

    assert response["location"] == "/auth/signup"
    assert User.objects.count() == 1


def test_the_second_factor_is_asked_all_the_same(amal, hub):
    from allauth.mfa.models import Authenticator

    SocialAccount.objects.create(user=amal, provider="github", uid="7")
    Authenticator.objects.create(user=amal, type="totp", data={"secret": "x"})
    client, response = come(hub)

    assert response["location"] == "/auth/login/code"
    assert "_auth_user_id" not in client.session


def signed_in():
    client = Client()
    client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})
    client.post("/auth/reauthenticate", {"password": PASSWORD})
    return client


def test_a_person_links_and_unlinks_by_hand(amal, hub):
    hub.knows("elsewhere@noor.example")
    client, response = come(hub, signed_in(), "?process=connect&next=/settings/security")
    assert response["location"] == "/settings/security"
    linked = SocialAccount.objects.get(user=amal)
    assert "GitHub" in client.get("/settings/security").content.decode()
    client.post(f"/settings/security/linked/{linked.pk}/remove")

    assert SocialAccount.objects.count() == 0
    assert account_actions() == ["signed_in", "login_linked", "login_unlinked"]
    subjects = [letter.subject for letter in promised_letters()]
    assert subjects == ["A sign-in method was added", "A sign-in method was removed"]


def test_linking_asks_for_a_fresh_proof(amal, hub):
    client = Client()
    client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})
    response = client.get("/auth/github/login?process=connect")

    assert response["location"].startswith("/auth/reauthenticate?next=")


def test_the_only_way_in_cannot_be_unlinked(amal, hub):
    hub.knows("basim@noor.example")
    client, _ = come(hub)
    linked = SocialAccount.objects.get()
    client.post(f"/settings/security/linked/{linked.pk}/remove")

    assert SocialAccount.objects.count() == 1


def test_another_persons_link_is_not_there(amal, hub):
    hub.knows("basim@noor.example")
    come(hub)
    theirs = SocialAccount.objects.get()

    assert signed_in().post(f"/settings/security/linked/{theirs.pk}/remove").status_code == 404
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=forged&code=x", "?error=access_denied", "?code=%00&state=%00"]
)
def test_a_return_that_was_not_begun_here_signs_nobody_in(amal, hub, query):
    hub.knows("amal@noor.example")
    client = Client()
    response = client.get(f"/auth/github/login/callback{query}")

    assert (response.status_code, response["location"]) == (302, "/auth/login")
    assert "_auth_user_id" not in client.session
    assert hub.exchanges == []


def test_the_state_works_once(amal, hub):
    hub.knows("amal@noor.example")
    client = Client()
    back = hub.callback(client.get("/auth/github/login")["location"])
    client.get(back)
    client.post("/auth/logout")
    client.get(back)

    assert "_auth_user_id" not in client.session
    assert len(hub.exchanges) == 1


def test_a_provider_that_is_broken_leads_back_with_words(amal, hub):
    hub.is_broken = True
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "did not sign you in" in notices(client)


def test_the_egress_policy_is_asked(amal, hub, settings):
    settings.SOCIALACCOUNT_ADAPTER = "apps.users.services.social.SocialAdapter"
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "did not sign you in" in notices(client)
    assert hub.exchanges == []


def test_no_other_site_begins_a_sign_in(amal, hub):
    response = Client(headers={"sec-fetch-site": "cross-site"}).get("/auth/github/login")

    assert response["location"] == "/auth/login"


def test_google_is_believed_by_its_id_token(amal, hub):
    claims = {
        "iss": "https://accounts.google.com",
        "aud": CLIENT[0],
        "sub": "g-7",
        "email": "amal@noor.example",
        "email_verified": True,
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
    }
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()  # noqa: E731
    token = f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims)}.c2ln"
    hub.token["id_token"] = token
    client = Client()
    start = client.get("/auth/google/login")["location"]
    client.get(hub.callback(start))

    assert client.session["_auth_user_id"] == amal.pk
    assert SocialAccount.objects.get().uid == "g-7"
    assert hub.exchanges[0]["code"] == "c0de"


def test_a_locked_person_hears_what_a_failed_sign_in_hears_and_is_not_linked(amal, hub):
    User.objects.update(is_active=False)
    hub.knows("amal@noor.example")
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "<bdi>GitHub</bdi> did not sign you in. Try again" in notices(client)
    assert "_auth_user_id" not in client.session
    assert (SocialAccount.objects.count(), promised_letters()) == (0, [])
    assert AuditEntry.objects.get().after == {"method": "github"}


def test_a_link_of_before_the_lock_opens_nothing_either(amal, hub):
    hub.knows("amal@noor.example")
    come(hub)
    User.objects.update(is_active=False)
    client, response = come(hub)

    assert response["location"] == "/auth/login"
    assert "did not sign you in" in notices(client)
    assert "_auth_user_id" not in client.session
    assert account_actions()[-1] == "sign_in_failed"
