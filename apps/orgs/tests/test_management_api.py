import json

import pytest
import redis
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import path

from apps.orgs.endpoints.keys import KeyEndpoints
from apps.orgs.models import ApiKey, Organization
from apps.orgs.services.keys import Bounds, issue_key, revoke_key
from apps.orgs.testing import bearer, make_household, make_member
from brokle.ground.models import AuditEntry, SnapshotChange
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = pytest.mark.engines
NEW = {"name": "ci", "scopes": ["gateway", "ingest"]}


@pytest.fixture
def noor(db):
    return make_household("noor")


@pytest.fixture
def zahra(db):
    return make_household("zahra")


def call(method, path, household=None, body=None, **headers):
    send = getattr(Client(), method)
    content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    return send(path, headers={**(household.bearer if household else {}), **headers}, **content)


def signed_in(person, **options):
    client = Client(**options)
    client.force_login(person)
    return client


def test_a_key_is_created_shown_once_listed_and_revoked(noor):
    created = call("post", "/api/v1/keys", noor, NEW)
    key = created.json()
    shown = call("get", created["location"], noor).json()
    listed = call("get", "/api/v1/keys", noor).json()["data"]

    assert created.status_code == 201
    assert key["value"].startswith("bk_live_")
    assert "value" not in shown
    assert shown == {name: value for name, value in key.items() if name != "value"}
    assert [line["name"] for line in listed] == ["ci", "all scopes"]
    assert call("delete", created["location"], noor).status_code == 204
    assert call("delete", created["location"], noor).status_code == 204
    assert call("get", created["location"], noor).json()["revoked_at"] is not None
    assert list(AuditEntry.objects.filter(target_id=key["id"]).values_list("action", "actor_id")) == [
        ("key.created", noor.key.key_id),
        ("key.revoked", noor.key.key_id),
    ]
    assert (
        SnapshotChange.objects.filter(
            object_id=ApiKey.objects.across_organizations().get(id=key["id"]).hash, urgent=True
        ).count()
        == 1
    )


def test_a_wrong_missing_or_revoked_key_is_401(noor):
    revoke_key(key=ApiKey.objects.across_organizations().get(id=noor.key.key_id), actor=SYSTEM, at=utc_now())
    answers = [
        call("get", "/api/v1/keys"),
        call("get", "/api/v1/keys", authorization="Bearer bk_live_wrong_0123456789abcdef"),
        call("get", "/api/v1/keys", authorization="Bearer ' OR 1=1 --"),
        call("get", "/api/v1/keys", noor),
    ]

    assert [a.status_code for a in answers] == [401] * 4
    assert {a["www-authenticate"] for a in answers} == {'Bearer realm="brokle"'}
    assert {a["content-type"] for a in answers} == {"application/problem+json"}
    assert all(a.json()["request_id"] == a["x-request-id"] for a in answers)


def test_a_wrong_key_beside_a_good_session_is_still_401(noor):
    answer = signed_in(noor.owner).get("/api/v1/organizations", headers={"x-api-key": "bk_live_wrong_0123456789abcdef"})

    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
def test_a_key_is_known_by_every_header_the_edge_knows(noor, header):
    assert call("get", "/api/v1/organizations", **{header: noor.key.value}).status_code == 200


def test_a_key_without_the_scope_is_403_and_changes_nothing(noor):
    weak = issue_key(environment=noor.production, name="weak", scopes=["gateway"], actor=SYSTEM)
    answer = Client().post("/api/v1/keys", json.dumps(NEW), content_type="application/json", headers=bearer(weak))

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not ApiKey.objects.across_organizations().filter(name="ci").exists()


def test_a_key_of_a_suspended_organization_is_403_and_told_why(noor):
    Organization.objects.filter(id=noor.id).update(suspended_at=utc_now())
    answer = call("get", "/api/v1/keys", noor)

    assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended")


def test_another_tenants_objects_are_404_by_key_and_by_person(noor, zahra):
    paths = [f"/api/v1/organizations/{zahra.id}", f"/api/v1/keys/{zahra.key.key_id}"]
    theirs = f"environment={zahra.production.id}"
    person = signed_in(noor.owner)

    assert [call("get", path, noor).status_code for path in paths] == [404, 404]
    assert call("delete", paths[1], noor).status_code == 404
    assert call("get", f"/api/v1/keys?{theirs}", noor).status_code == 404
    assert [person.get(f"{path}?{theirs}" if "keys" in path else path).status_code for path in paths] == [404, 404]
    assert person.post(f"/api/v1/keys?{theirs}", json.dumps(NEW), content_type="application/json").status_code == 404
    assert person.get(f"{paths[1]}?environment={noor.production.id}").status_code == 404
    assert ApiKey.objects.across_organizations().filter(organization_id=zahra.id, revoked_at__isnull=True).count() == 1


def test_a_key_stays_in_its_environment(noor):
    other = issue_key(environment=noor.made.development, name="dev", scopes=["admin"], actor=SYSTEM)

    assert call("get", f"/api/v1/keys/{other.key_id}", noor).status_code == 404
    assert call("get", f"/api/v1/keys?environment={noor.made.development.id}", noor).status_code == 404


def test_a_person_sees_own_organizations_and_must_say_which_environment(noor, zahra):
    person = signed_in(noor.owner)

    assert [line["id"] for line in person.get("/api/v1/organizations").json()["data"]] == [noor.id]
    assert person.get("/api/v1/keys").json()["field"] == "environment"
    assert person.get(f"/api/v1/keys?environment={noor.production.id}").status_code == 200


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 201), ("admin", 201), ("developer", 201), ("viewer", 403), ("billing", 404)]
)
def test_the_role_decides_who_makes_keys(noor, role, status):
    person = noor.owner if role == "owner" else make_member(noor, role)
    path = f"/api/v1/keys?environment={noor.production.id}"
    answer = signed_in(person).post(path, json.dumps(NEW), content_type="application/json")

    assert answer.status_code == status
    assert ApiKey.objects.across_organizations().filter(name="ci").exists() == (status == 201)
    gone = signed_in(person).delete(f"/api/v1/keys/{noor.key.key_id}?environment={noor.production.id}")
    assert gone.status_code == (204 if status == 201 else status)


def test_a_session_needs_the_csrf_token(noor):
    path = f"/api/v1/keys?environment={noor.production.id}"
    client = signed_in(noor.owner, enforce_csrf_checks=True)

    assert client.post(path, json.dumps(NEW), content_type="application/json").status_code == 403
    assert not ApiKey.objects.across_organizations().filter(name="ci").exists()


def test_an_api_key_needs_no_csrf_token(noor):
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/api/v1/keys", json.dumps(NEW), content_type="application/json", headers=noor.bearer)

    assert answer.status_code == 201


def test_pages_follow_the_cursor_and_stay_stable_under_inserts(noor):
    for number in range(7):
        issue_key(environment=noor.production, name=f"k{number}", scopes=["gateway"], actor=SYSTEM)
    first = call("get", "/api/v1/keys?limit=3", noor).json()
    issue_key(environment=noor.production, name="late", scopes=["gateway"], actor=SYSTEM)
    second = call("get", f"/api/v1/keys?limit=3&cursor={first['next_cursor']}", noor).json()
    third = call("get", f"/api/v1/keys?limit=3&cursor={second['next_cursor']}", noor).json()

    names = [line["name"] for page in (first, second, third) for line in page["data"]]
    assert names == ["k6", "k5", "k4", "k3", "k2", "k1", "k0", "all scopes"]
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=%00", "cursor=é", "limit=0", "limit=-1", "limit=many", "limit=1e3"]
)
def test_a_bad_cursor_or_limit_is_400(noor, query):
    assert call("get", f"/api/v1/keys?{query}", noor).status_code == 400


def test_the_limit_is_capped(noor):
    from brokle.web.pagination import read_limit

    assert (read_limit(""), read_limit("200"), read_limit("999999999")) == (50, 200, 200)


def test_only_declared_filters_narrow(noor):
    issue_key(environment=noor.production, name="old", scopes=["decide"], actor=SYSTEM)
    revoke_key(key=ApiKey.objects.across_organizations().get(name="old"), actor=SYSTEM, at=utc_now())

    def names(query):
        return [line["name"] for line in call("get", f"/api/v1/keys?{query}", noor).json()["data"]]

    assert names("status=revoked") == ["old"]
    assert names("status=active") == ["all scopes"]
    assert names("scope=decide") == ["old", "all scopes"]
    assert names("name=old&status=active") == []
    refused = [
        call("get", f"/api/v1/keys?{query}", noor) for query in ("hash=1", "status=dead", "name=%00", "organization=x")
    ]
    assert [a.status_code for a in refused] == [400] * 4
    assert refused[0].json()["detail"].endswith("known here: cursor, environment, limit, name, scope, status")


def test_a_keys_rate_is_one_for_both_planes(noor):
    slow = issue_key(
        environment=noor.production, name="slow", scopes=["admin"], actor=SYSTEM, bounds=Bounds(requests_per_minute=2)
    )
    redis.Redis.from_url(settings.REDIS_URL).script_flush()
    answers = [Client().get("/api/v1/organizations", headers=bearer(slow)) for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert [a.get("x-ratelimit-remaining-requests") for a in answers[:2]] == ["1", "0"]
    assert int(answers[2]["retry-after"]) >= 1
    assert redis.Redis.from_url(settings.REDIS_URL).exists(f"bk:lim:rpm:{slow.key_id}") == 1


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing/", "/api/v1/keys/not-an-id", "/api/v1/keys/%00"])
def test_an_unknown_address_below_api_is_a_problem(noor, path):
    answer = call("get", path, noor)

    assert (answer.status_code, answer["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_elsewhere_a_program_gets_a_problem_and_a_browser_a_page(db):
    program = Client().get("/nowhere/at.all/", headers={"accept": "application/json"})
    browser = Client().get("/nowhere/at.all/", headers={"accept": "text/html,application/json"})

    assert program["content-type"] == "application/problem+json"
    assert browser["content-type"] == "text/html; charset=utf-8"


def test_a_method_or_a_type_that_is_not_taken_says_so(noor):
    wrong_method = call("put", "/api/v1/keys", noor, NEW)
    form = Client().post("/api/v1/keys", {"name": "ci"}, headers=noor.bearer)

    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, "method_not_allowed")
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")


class ForbiddingEndpoints(KeyEndpoints):
    def list(self, request):
        raise PermissionDenied


def test_what_django_forbids_is_403(noor, settings):
    settings.ROOT_URLCONF = (path("api/v1/keys", ForbiddingEndpoints.as_view({"get": "list"})),)
    answer = call("get", "/api/v1/keys", noor)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
