from datetime import timedelta

import pytest
from django.test import Client

from apps.orgs.models import ApiKey, PersonalToken
from apps.orgs.services.tokens import find_bearer, issue_token
from apps.orgs.testing import call, make_household, signed_in
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
TOKENS = "/api/v1/tokens"


@pytest.fixture
def noor():
    return make_household("noor")


def with_token(value):
    return {"authorization": f"Bearer {value}"}


def test_a_token_stands_for_its_person(noor):
    made = call(signed_in(noor.owner), "POST", TOKENS, {"name": "laptop"}).json()
    key = {"name": "ci", "scopes": ["gateway"]}
    answer = call(Client(), "POST", f"/api/v1/keys?environment={noor.production.id}", key, **with_token(made["value"]))

    assert made["value"].startswith("bk_pat_")
    assert (answer.status_code, answer.json()["created_by"]) == (201, noor.owner.pk)
    assert made["value"] not in str(list(PersonalToken.objects.values()))
    listed = call(signed_in(noor.owner), "GET", TOKENS).json()["data"]
    assert [(t["name"], "value" in t, t["last_used_at"] is not None) for t in listed] == [("laptop", False, True)]


def test_a_reading_token_changes_nothing(noor):
    value = issue_token(user_id=noor.owner.pk, name="reader", actor=SYSTEM, is_read_only=True).value
    path = f"/api/v1/keys?environment={noor.production.id}"

    assert call(Client(), "GET", path, **with_token(value)).status_code == 200
    refused = call(Client(), "POST", path, {"name": "ci", "scopes": ["gateway"]}, **with_token(value))
    assert refused.status_code == 403
    assert ApiKey.objects.of(noor.id).count() == 1


def test_revoked_expired_and_mistyped_tokens_are_refused(noor):
    issued = issue_token(user_id=noor.owner.pk, name="old", actor=SYSTEM, expires_at=utc_now() + timedelta(minutes=5))
    assert find_bearer(issued.value).user == noor.owner
    assert find_bearer(issued.value, clock=lambda: utc_now() + timedelta(minutes=6)) is None
    assert find_bearer(issued.value[:-1] + ("0" if issued.value[-1] != "0" else "1")) is None

    assert call(signed_in(noor.owner), "DELETE", f"{TOKENS}/{issued.token.id}").status_code == 204
    gone = call(Client(), "GET", "/api/v1/organizations", **with_token(issued.value))
    assert (gone.status_code, gone["www-authenticate"]) == (401, 'Bearer realm="brokle"')
    actions = AuditEntry.objects.filter(target_id=issued.token.id).order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["token.created", "token.revoked"]


def test_a_person_who_may_not_sign_in_has_no_tokens_either(noor):
    value = issue_token(user_id=noor.owner.pk, name="laptop", actor=SYSTEM).value
    noor.owner.is_active = False
    noor.owner.save()

    assert call(Client(), "GET", "/api/v1/organizations", **with_token(value)).status_code == 401


def test_a_token_is_no_api_key(noor):
    value = issue_token(user_id=noor.owner.pk, name="laptop", actor=SYSTEM).value
    assert call(Client(), "GET", "/api/v1/organizations", **{"x-api-key": value}).status_code == 401


def test_keys_and_other_people_have_no_say(noor):
    zahra = make_household("zahra")
    token = issue_token(user_id=noor.owner.pk, name="laptop", actor=SYSTEM).token

    assert call(Client(), "GET", TOKENS, **noor.bearer).status_code == 403
    assert call(signed_in(zahra.owner), "DELETE", f"{TOKENS}/{token.id}").status_code == 404
    assert PersonalToken.objects.get(id=token.id).revoked_at is None


@pytest.mark.parametrize(
    "value", ["bk_pat_", "bk_pat_'; DROP TABLE users; --", "bk_pat_" + "a" * 8000, "bk_pat_\u0661", "bk_pat_x_y_000000"]
)
def test_what_only_looks_like_a_token_is_refused(value):
    assert find_bearer(value) is None
