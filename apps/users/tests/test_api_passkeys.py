import pytest
from allauth.mfa.models import Authenticator as Factor
from django.core.cache import cache
from django.test import Client

from apps.orgs.testing import call, signed_in
from apps.users.services.accounts import create_verified_user
from apps.users.services.api_factors import PASSKEYS_MAX
from apps.users.testing import PASSWORD, account_actions, promised_letters
from brokle.engines.state import state
from brokle.ground.models import AuditEntry
from tests.fakes.authenticator import Authenticator

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]
AUTH, ADDRESS = "/api/v1/auth", "amal@noor.example"
KEYS = f"{AUTH}/mfa/passkeys"


@pytest.fixture
def amal():
    state().flushdb()
    cache.clear()
    return create_verified_user(email=ADDRESS, password=PASSWORD, name="Amal Haddad")


def post(path, body, **headers):
    return call(Client(), "POST", f"{AUTH}/{path}", body, **headers)


def bearer():
    answer = post("login", {"email": ADDRESS, "password": PASSWORD})
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def challenge():
    answer = post("login", {"email": ADDRESS, "password": PASSWORD})
    assert (answer.status_code, answer.json()["methods"]) == (401, ["recovery_codes", "webauthn"])
    return answer.json()["challenge"]


def options(headers, **proof):
    return post("mfa/passkeys/options", proof or {"password": PASSWORD}, **headers)


def added(headers, device, name="Laptop"):
    answer = post("mfa/passkeys", {"name": name, "credential": device.make(options(headers).json())}, **headers)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_passkey_is_added_and_its_first_recovery_codes_are_shown_this_once(amal):
    headers, device = bearer(), Authenticator()
    made = added(headers, device)

    assert (made["name"], made["last_used_at"], len(made["recovery_codes"])) == ("Laptop", None, 10)
    assert added(headers, Authenticator(), "Phone")["recovery_codes"] == []
    listed = call(Client(), "GET", KEYS, **headers).json()["data"]
    assert next((one["id"], one["name"]) for one in listed) == (made["id"], "Laptop")
    assert [one["name"] for one in listed] == ["Laptop", "Phone"]
    assert account_actions() == ["signed_in", "mfa_added", "mfa_added", "mfa_added"]
    assert [letter.subject for letter in promised_letters()] == ["A sign-in method was added"] * 2


def test_a_passkey_made_over_the_api_is_the_second_step_of_a_sign_in(amal):
    device = Authenticator()
    added(bearer(), device)
    mine = challenge()
    asked = post("mfa/verify/options", {"challenge": mine})
    done = post("mfa/verify", {"challenge": mine, "credential": device.answer(asked.json())})

    assert done.status_code == 200, done.content
    headers = {"authorization": f"Bearer {done.json()['access_token']}"}
    assert call(Client(), "GET", f"{AUTH}/me", **headers).json()["email"] == ADDRESS
    last = AuditEntry.objects.filter(action="account.signed_in").latest("sequence")
    assert last.after["methods"] == ["password", "webauthn"]
    assert Factor.objects.get(type="webauthn").last_used_at is not None
    assert done.cookies == {}


def test_an_answer_counts_once_and_only_for_its_own_question(amal):
    device = Authenticator()
    added(bearer(), device)
    first, second = challenge(), challenge()
    answer = device.answer(post("mfa/verify/options", {"challenge": first}).json())
    post("mfa/verify/options", {"challenge": second})

    swapped = post("mfa/verify", {"challenge": second, "credential": answer})
    right = post("mfa/verify", {"challenge": first, "credential": answer})
    again = post("mfa/verify", {"challenge": first, "credential": answer})
    assert [one.status_code for one in (swapped, right, again)] == [401, 200, 401]
    assert swapped.json()["code"] == "wrong_code"
    assert account_actions().count("sign_in_failed") == 1


@pytest.mark.parametrize(
    "device",
    [Authenticator(origin="https://evil.example"), Authenticator(origin="http://testserver"), Authenticator()],
    ids=["another site", "no TLS", "another key"],
)
def test_what_another_site_or_key_signed_is_refused(amal, device):
    mine = Authenticator()
    added(bearer(), mine)
    device.user_handle = mine.user_handle
    if device.origin != mine.origin:
        device.key, device.credential_id = mine.key, mine.credential_id
    own = challenge()
    answer = device.answer(post("mfa/verify/options", {"challenge": own}).json())

    refused = post("mfa/verify", {"challenge": own, "credential": answer})
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_code")


def test_a_passkey_that_did_not_verify_its_person_is_not_added(amal):
    headers = bearer()
    credential = Authenticator(verifies=False).make(options(headers).json())
    refused = post("mfa/passkeys", {"credential": credential}, **headers)

    assert (refused.status_code, refused.json()["field"]) == (422, "credential")
    assert Factor.objects.count() == 0


def test_options_are_answered_once_and_without_them_nothing_is_added(amal):
    headers = bearer()
    credential = Authenticator().make(options(headers).json())
    assert post("mfa/passkeys", {"credential": credential}, **headers).status_code == 201

    assert post("mfa/passkeys", {"credential": credential}, **headers).status_code == 422
    assert Factor.objects.filter(type="webauthn").count() == 1


@pytest.mark.parametrize("credential", [None, 7, [], {}, "text", {"response": {}}, {"id": "x", "response": {"a": 1}}])
def test_what_is_no_credential_is_refused_in_words(amal, credential):
    headers = bearer()
    options(headers)
    refused = post("mfa/passkeys", {"credential": credential}, **headers)

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("proof", "status", "code"),
    [({}, 403, "proof_needed"), ({"password": "not-it"}, 401, "wrong_credentials"), ({"code": "1"}, 401, "wrong_code")],
)
def test_a_token_alone_changes_no_way_to_sign_in(amal, proof, status, code):
    headers, device = bearer(), Authenticator()
    made = added(headers, device)
    answers = [
        post("mfa/passkeys/options", proof, **headers),
        post("mfa/recovery-codes", proof, **headers),
        call(Client(), "DELETE", f"{KEYS}/{made['id']}", proof, **headers),
        call(Client(), "DELETE", f"{AUTH}/mfa/totp", proof, **headers),
    ]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(status, code)}
    assert Factor.objects.count() == 2


def test_a_passkey_is_renamed_and_removed_by_its_owner_alone(amal):
    headers = bearer()
    made = added(headers, Authenticator())
    path = f"{KEYS}/{made['id']}"
    stranger = create_verified_user(email="mei@tan.example", password=PASSWORD)
    other = signed_in(stranger)

    assert [call(other, method, path, {"name": "Mine"}).status_code for method in ("PATCH", "DELETE")] == [404, 404]
    renamed = call(Client(), "PATCH", path, {"name": "Key ring"}, **headers)
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Key ring")
    removed = call(Client(), "DELETE", path, {"code": made["recovery_codes"][0]}, **headers)
    assert (removed.status_code, Factor.objects.count()) == (204, 0)
    assert account_actions()[-2:] == ["mfa_removed", "mfa_removed"]
    assert [letter.subject for letter in promised_letters()][-1] == "A sign-in method was removed"
    assert call(Client(), "DELETE", path, {"password": PASSWORD}, **headers).status_code == 404


def test_recovery_codes_are_counted_and_made_anew(amal):
    headers = bearer()
    assert call(Client(), "GET", f"{AUTH}/mfa/recovery-codes", **headers).json() == {"left": None}
    assert post("mfa/recovery-codes", {"password": PASSWORD}, **headers).status_code == 409
    old = added(headers, Authenticator())["recovery_codes"]
    assert post("mfa/verify", {"challenge": challenge(), "code": old[0]}).status_code == 200
    assert call(Client(), "GET", f"{AUTH}/mfa/recovery-codes", **headers).json() == {"left": 9}

    new = post("mfa/recovery-codes", {"password": PASSWORD}, **headers).json()["recovery_codes"]
    assert (len(new), set(new) & set(old)) == (10, set())
    assert call(Client(), "GET", f"{AUTH}/mfa/recovery-codes", **headers).json() == {"left": 10}
    statuses = [post("mfa/verify", {"challenge": challenge(), "code": code}).status_code for code in (old[1], new[0])]
    assert statuses == [401, 200]
    assert "Recovery codes" in promised_letters()[-1].text


def test_an_account_holds_no_more_passkeys_than_the_limit(amal):
    headers = bearer()
    credential = Authenticator().make(options(headers).json())
    Factor.objects.bulk_create(
        Factor(user=amal, type="webauthn", data={"name": str(n), "credential": {}}) for n in range(PASSKEYS_MAX)
    )
    refused = [post("mfa/passkeys", {"credential": credential}, **headers), options(headers)]

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "conflict")] * 2


def test_only_an_account_with_a_passkey_is_asked_for_one(amal):
    headers = bearer()
    made = added(headers, Authenticator())
    mine = challenge()
    call(Client(), "DELETE", f"{KEYS}/{made['id']}", {"password": PASSWORD}, **headers)

    assert post("mfa/verify/options", {"challenge": mine}).status_code == 409
    both = post("mfa/verify", {"challenge": mine, "code": "1", "credential": {}})
    neither = post("mfa/verify", {"challenge": mine})
    assert [(one.status_code, one.json()["field"]) for one in (both, neither)] == [(422, "code")] * 2


def test_asking_for_questions_is_limited(amal):
    added(bearer(), Authenticator())
    mine = challenge()
    statuses = [post("mfa/verify/options", {"challenge": mine}).status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]
