import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client

from apps.orgs.testing import call, signed_in
from apps.users.models import User
from apps.users.services import api_sessions
from apps.users.services.accounts import create_verified_user
from apps.users.testing import account_actions, link_in, promised_letters
from brokle.engines.state import state
from brokle.ground.models import AuditEntry
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Unauthorized

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]
AUTH, ADDRESS, PASSWORD = "/api/v1/auth", "amal@noor.example", "a-long-enough-password"


@pytest.fixture
def amal():
    state().flushdb()
    cache.clear()
    return create_verified_user(email=ADDRESS, password=PASSWORD, name="Amal Haddad")


def post(path, body, **headers):
    return call(Client(), "POST", f"{AUTH}/{path}", body, **headers)


def pair(**body):
    answer = post("login", {"email": ADDRESS, "password": PASSWORD, **body})
    assert answer.status_code == 200, answer.content
    return answer.json()


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def me(token):
    return call(Client(), "GET", f"{AUTH}/me", **bearer(token))


def test_signing_in_gives_tokens_that_stand_for_the_person(amal):
    tokens = pair(email="AMAL@noor.example")
    answer = me(tokens["access_token"])

    assert (answer.status_code, answer.json()["email"], answer.json()["initials"]) == (200, ADDRESS, "AH")
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert AuditEntry.objects.get(action="account.signed_in").after["methods"] == ["password"]


def test_unknown_addresses_and_wrong_passwords_are_told_the_same(amal):
    wrong = post("login", {"email": ADDRESS, "password": "not-the-password"})
    unknown = post("login", {"email": "nobody@noor.example", "password": "not-the-password"})
    bodies = [{**a.json(), "request_id": ""} for a in (wrong, unknown)]

    assert (wrong.status_code, bodies[0]) == (401, bodies[1])
    assert AuditEntry.objects.filter(action="account.sign_in_failed").count() == 2
    assert ADDRESS not in str(list(AuditEntry.objects.values("target_id", "after")))


def test_a_refresh_token_works_once_and_its_second_use_ends_the_session(amal):
    first = pair()
    second = post("refresh", {"refresh_token": first["refresh_token"]}).json()
    assert me(second["access_token"]).status_code == 200

    reused = post("refresh", {"refresh_token": first["refresh_token"]})
    assert (reused.status_code, reused.json()["code"]) == (401, "refresh_token_reused")
    assert me(second["access_token"]).status_code == 401
    assert post("refresh", {"refresh_token": second["refresh_token"]}).json()["code"] == "session_ended"
    assert AuditEntry.objects.filter(action="account.refresh_token_reused", target_id=amal.pk).count() == 1


def test_of_fifty_who_refresh_with_one_token_one_wins_and_the_session_ends(amal):
    token = pair()["refresh_token"]

    def refresh(_):
        try:
            return post("refresh", {"refresh_token": token})
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(refresh, range(50)))
    winners = [answer.json() for answer in answers if answer.status_code == 200]

    assert len(winners) == 1
    codes = Counter(answer.json()["code"] for answer in answers if answer.status_code != 200)
    assert (codes["refresh_token_reused"], codes["session_ended"]) == (1, 48)
    assert me(winners[0]["access_token"]).status_code == 401


def test_signing_out_ends_this_session_and_everywhere_ends_all(amal):
    one, two, browser = pair(), pair(), signed_in(amal)
    assert post("logout", {}, **bearer(one["access_token"])).status_code == 204
    assert [me(t["access_token"]).status_code for t in (one, two)] == [401, 200]
    assert post("refresh", {"refresh_token": one["refresh_token"]}).json()["code"] == "session_ended"

    assert post("logout", {"everywhere": True}, **bearer(two["access_token"])).status_code == 204
    assert me(two["access_token"]).status_code == 401
    assert browser.get("/settings").status_code in (200, 302)


def test_a_clock_may_be_a_minute_off_and_no_more(amal):
    tokens = api_sessions.begin(user_id=amal.pk)

    def found(seconds):
        return api_sessions.find_bearer(tokens.access_token, clock=lambda: utc_now() + timedelta(seconds=seconds))

    assert [found(s) is not None for s in (-50, 0, 900, 950, 970, -70)] == [True, True, True, True, False, False]


@pytest.mark.parametrize("forge", ["none", "other key", "refresh as access", "garbage"])
def test_forged_tokens_are_refused(amal, forge):
    tokens = api_sessions.begin(user_id=amal.pk)
    claims = jwt.decode(tokens.access_token, options={"verify_signature": False})
    value = {
        "none": jwt.encode(claims, None, algorithm="none"),
        "other key": jwt.encode(claims, "x" * 32, algorithm="HS256"),
        "refresh as access": tokens.refresh_token,
        "garbage": "a.b.c",
    }[forge]

    assert me(value).status_code == 401


def test_a_former_secret_still_counts_while_it_is_rotated(amal, settings):
    tokens = api_sessions.begin(user_id=amal.pk)
    settings.ROOT_SECRETS = ["the-next-secret", *settings.ROOT_SECRETS]
    assert api_sessions.find_bearer(tokens.access_token).user == amal
    settings.ROOT_SECRETS = ["the-next-secret"]
    assert api_sessions.find_bearer(tokens.access_token) is None


def test_a_second_factor_is_asked_and_each_code_counts_once(amal):
    secret = generate_totp_secret()
    TOTP.activate(amal, secret)
    asked = post("login", {"email": ADDRESS, "password": PASSWORD})
    assert (asked.status_code, asked.json()["code"], asked.json()["methods"]) == (401, "mfa_required", ["totp"])
    challenge = asked.json()["challenge"]

    assert me(challenge).status_code == 401
    wrong = post("mfa/verify", {"challenge": challenge, "code": "000000"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_code")
    code = code_of(secret)
    done = post("mfa/verify", {"challenge": challenge, "code": code})
    assert me(done.json()["access_token"]).status_code == 200
    assert post("mfa/verify", {"challenge": challenge, "code": code}).status_code == 401
    other = post("login", {"email": ADDRESS, "password": PASSWORD}).json()["challenge"]
    assert post("mfa/verify", {"challenge": other, "code": code}).json()["code"] == "wrong_code"


def code_of(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def test_guessing_codes_is_stopped(amal):
    TOTP.activate(amal, generate_totp_secret())
    challenge = post("login", {"email": ADDRESS, "password": PASSWORD}).json()["challenge"]
    statuses = [post("mfa/verify", {"challenge": challenge, "code": f"{n:06}"}).status_code for n in range(7)]

    assert statuses == [401] * 5 + [429] * 2


def test_an_authenticator_app_is_set_up_and_removed_over_the_api(amal):
    headers = bearer(pair()["access_token"])
    begun = post("mfa/totp", {}, **headers).json()
    right = {"secret": begun["secret"], "code": code_of(begun["secret"]), "password": PASSWORD}
    wrong = [{**right, "code": "000000"}, {**right, "password": "not-the-password"}]
    refusals = [call(Client(), "PUT", f"{AUTH}/mfa/totp", body, **headers) for body in wrong]
    assert [a.json()["code"] for a in refusals] == ["wrong_code", "wrong_credentials"]
    answer = call(Client(), "PUT", f"{AUTH}/mfa/totp", right, **headers)
    recovery = answer.json()["recovery_codes"]
    assert account_actions() == ["signed_in", "mfa_added", "mfa_added"]
    assert (begun["url"].startswith("otpauth://totp/"), len(recovery)) == (True, 10)

    challenge = post("login", {"email": ADDRESS, "password": PASSWORD}).json()["challenge"]
    assert post("mfa/verify", {"challenge": challenge, "code": recovery[0]}).status_code == 200
    challenge = post("login", {"email": ADDRESS, "password": PASSWORD}).json()["challenge"]
    assert post("mfa/verify", {"challenge": challenge, "code": recovery[0]}).status_code == 401

    refused = call(Client(), "DELETE", f"{AUTH}/mfa/totp", {"password": "wrong"}, **headers)
    removed = call(Client(), "DELETE", f"{AUTH}/mfa/totp", {"password": PASSWORD}, **headers)
    assert (refused.status_code, removed.status_code) == (401, 204)
    assert "access_token" in pair()
    subjects = ["A sign-in method was added", "A sign-in method was removed"]
    assert [letter.subject for letter in promised_letters()] == subjects


def test_changing_the_password_ends_every_other_session(amal):
    mine, other = pair(), pair()
    body = {"password": PASSWORD, "new_password": "another-long-enough-one"}
    wrong = post("password/change", {**body, "password": "no"}, **bearer(mine["access_token"]))
    weak = post("password/change", {**body, "new_password": "short"}, **bearer(mine["access_token"]))
    done = post("password/change", body, **bearer(mine["access_token"]))

    assert [(a.status_code, a.json()["field"]) for a in (wrong, weak)] == [(422, "password"), (422, "new_password")]
    assert done.status_code == 204
    assert [me(t["access_token"]).status_code for t in (mine, other)] == [200, 401]
    assert User.objects.get(pk=amal.pk).check_password("another-long-enough-one")
    assert [letter.subject for letter in promised_letters()] == ["Your password was changed"]


def test_signing_up_tells_nobody_which_addresses_have_accounts(amal, mailoutbox):
    free = post("signup", {"email": "new@noor.example", "password": PASSWORD, "name": "New"})
    taken = post("signup", {"email": ADDRESS, "password": PASSWORD, "name": "New"})

    assert [(a.status_code, a.content) for a in (free, taken)] == [(202, b""), (202, b"")]
    assert User.objects.count() == 2


@pytest.mark.parametrize("email", ["am\u0430l@noor.example", "no-at", "a\u0000@x.example", "a" * 300 + "@x.example"])
def test_addresses_that_only_look_right_are_refused(amal, email):
    answer = post("signup", {"email": email, "password": PASSWORD, "name": "Eve"})
    assert (answer.status_code, answer.json()["field"]) == (422, "email")
    assert User.objects.count() == 1


def test_asking_for_a_reset_answers_everybody_alike(amal):
    known, unknown = post("password/reset", {"email": ADDRESS}), post("password/reset", {"email": "x@noor.example"})
    assert [(a.status_code, a.content) for a in (known, unknown)] == [(202, b""), (202, b"")]


def test_a_forgotten_password_is_chosen_anew_and_ends_every_session(amal):
    tokens, browser = pair(), signed_in(amal)
    post("password/reset", {"email": ADDRESS})
    token = link_in(promised_letters()[-1]).rpartition("/")[2]
    weak = post("password/reset/confirm", {"token": token, "new_password": "short"})
    assert (weak.status_code, weak.json()["field"]) == (422, "new_password")
    done = post("password/reset/confirm", {"token": token, "new_password": "another-long-enough-one"})

    assert (done.status_code, done.content, done.cookies) == (204, b"", {})
    assert me(tokens["access_token"]).status_code == 401
    assert post("refresh", {"refresh_token": tokens["refresh_token"]}).json()["code"] == "session_ended"
    assert browser.get("/settings").status_code == 302
    assert post("login", {"email": ADDRESS, "password": PASSWORD}).status_code == 401
    assert post("login", {"email": ADDRESS, "password": "another-long-enough-one"}).status_code == 200
    assert AuditEntry.objects.get(action="account.password_changed").after == {"by": "mail"}
    assert [letter.subject for letter in promised_letters()][-1] == "Your password was changed"


def test_reset_tokens_that_are_used_expired_or_unknown_are_told_the_same(amal, settings):
    def asked():
        post("password/reset", {"email": ADDRESS})
        return link_in(promised_letters()[-1]).rpartition("/")[2]

    def confirm(token):
        return post("password/reset/confirm", {"token": token, "new_password": "another-long-enough-one"})

    used = asked()
    assert confirm(used).status_code == 204
    answers = [confirm(token) for token in (used, "usr_none-abc-def", "x", f"{amal.pk}-", "-")]
    late, settings.PASSWORD_RESET_TIMEOUT = asked(), -1
    answers.append(confirm(late))

    assert {(a.status_code, a.json()["code"], a.json()["detail"]) for a in answers} == {
        (410, "reset_token_spent", "This link was used already or is too old; ask for another")
    }


def test_guessing_reset_tokens_is_stopped(amal):
    body = {"token": "usr_none-abc-def", "new_password": PASSWORD}
    statuses = [post("password/reset/confirm", body).status_code for _ in range(21)]

    assert statuses == [410] * 20 + [429]


def test_a_profile_is_changed_in_parts(amal):
    headers = bearer(pair()["access_token"])
    changed = call(Client(), "PATCH", f"{AUTH}/me", {"language": "ar", "time_zone": "Asia/Riyadh"}, **headers).json()
    refused = call(Client(), "PATCH", f"{AUTH}/me", {"time_zone": "Mars/Base"}, **headers)

    assert (changed["name"], changed["language"], changed["time_zone"]) == ("Amal Haddad", "ar", "Asia/Riyadh")
    assert (refused.status_code, refused.json()["field"]) == (422, "time_zone")


def test_a_suspended_person_is_out_at_once(amal):
    tokens = pair()
    User.objects.filter(pk=amal.pk).update(is_active=False)

    assert me(tokens["access_token"]).status_code == 401
    assert post("refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert post("login", {"email": ADDRESS, "password": PASSWORD}).status_code == 401


def test_a_challenge_or_refresh_token_past_its_time_is_refused(amal):
    later = utc_now() + timedelta(days=1, minutes=2)
    tokens = api_sessions.begin(user_id=amal.pk)
    with pytest.raises(Unauthorized):
        api_sessions.refresh(tokens.refresh_token, clock=lambda: later)
    with pytest.raises(Unauthorized):
        api_sessions.read_challenge(api_sessions.challenge(user_id=amal.pk), clock=lambda: later)


def own(method, path, body=None, **headers):
    return call(Client(), method, f"{AUTH}/{path}", body, **headers)


def test_an_account_is_deleted_with_everything_that_opens_it(amal):
    tokens, browser = pair(), signed_in(amal)
    headers = bearer(tokens["access_token"])
    bare, wrong = own("DELETE", "me", **headers), own("DELETE", "me", {"password": "not-it"}, **headers)
    assert [(a.status_code, a.json()["code"]) for a in (bare, wrong)] == [
        (403, "proof_needed"),
        (401, "wrong_credentials"),
    ]
    assert User.objects.count() == 1
    gone = own("DELETE", "me", {"password": PASSWORD}, **headers)

    assert (gone.status_code, User.objects.count()) == (204, 0)
    assert me(tokens["access_token"]).status_code == 401
    assert post("refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert browser.get("/settings").status_code == 302
    assert account_actions()[-1] == "account_deleted"


def test_browsers_are_listed_and_ended(amal):
    headers, browser = bearer(pair()["access_token"]), Client()
    browser.post("/auth/login", {"email": ADDRESS, "password": PASSWORD}, headers={"user-agent": "Firefox/144.0"})
    [line] = own("GET", "sessions", **headers).json()["data"]
    assert (line["ip"], line["is_this"]) == ("127.0.0.1", False)
    assert call(browser, "GET", f"{AUTH}/sessions").json()["data"][0]["is_this"] is True
    assert own("DELETE", f"sessions/{line['id']}", **headers).status_code == 204

    assert own("GET", "sessions", **headers).json()["data"] == []
    assert browser.get("/settings").status_code == 302
    assert own("DELETE", f"sessions/{line['id']}", **headers).status_code == 404
    assert account_actions()[-1] == "session_revoked"


def test_nobody_ends_the_session_of_another(amal):
    basim = create_verified_user(email="basim@noor.example", password=PASSWORD)
    browser = Client()
    browser.post("/auth/login", {"email": ADDRESS, "password": PASSWORD})
    line = own("GET", "sessions", **bearer(pair()["access_token"])).json()["data"][0]
    theirs = bearer(api_sessions.begin(user_id=basim.pk).access_token)

    assert own("GET", "sessions", **theirs).json()["data"] == []
    assert own("DELETE", f"sessions/{line['id']}", **theirs).status_code == 404
    assert browser.get("/settings").status_code == 200


def test_another_address_is_asked_for_with_a_proof_and_counts_when_its_mailbox_answers(amal):
    headers = bearer(pair()["access_token"])
    asked = {"email": "Amal@Qalam.example"}
    same = own("POST", "email", {"email": ADDRESS, "password": PASSWORD}, **headers)
    bare = own("POST", "email", asked, **headers)
    done = own("POST", "email", {**asked, "password": PASSWORD}, **headers)

    assert (same.status_code, same.json()["field"]) == (422, "email")
    assert (bare.status_code, bare.json()["code"], done.status_code) == (403, "proof_needed", 202)
    [letter] = promised_letters()
    assert (letter.to, User.objects.get().email) == ("amal@qalam.example", ADDRESS)
    assert Client().post(link_in(letter)).status_code == 302
    assert User.objects.get().email == "amal@qalam.example"
