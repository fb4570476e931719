from datetime import timedelta

import pytest

from apps.orgs.models import ApiKey, Environment, Membership, Organization, Project
from apps.orgs.services.organizations import purge_due
from apps.orgs.snapshot import compile_key
from apps.orgs.testing import call, make_household, make_member, make_person, signed_in
from brokle.engines import clickhouse_url
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder
from brokle.ground.models import AuditEntry, SnapshotChange
from brokle.kernel.clock import utc_now
from brokle.settings.env import env

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
ORGANIZATIONS = "/api/v1/organizations"


@pytest.fixture
def noor():
    return make_household("noor")


def at(household, tail=""):
    return f"{ORGANIZATIONS}/{household.id}{tail}"


def key_of(household):
    return ApiKey.objects.of(household.id).get(id=household.key.key_id)


def test_anybody_may_begin_an_organization():
    person = make_person("amal@noor.example")
    answer = call(signed_in(person), "POST", ORGANIZATIONS, {"name": "Noor Health"})

    assert (answer.status_code, answer.json()["slug"]) == (201, "noor-health")
    made = answer.json()["id"]
    assert Membership.objects.of(made).get().role == "owner"
    assert [e.slug for e in Environment.objects.of(made).order_by("-is_live")] == ["production", "development"]


def test_a_name_without_latin_letters_gets_an_address_all_the_same():
    answer = call(signed_in(make_person("a@noor.example")), "POST", ORGANIZATIONS, {"name": "نور"})
    assert (answer.status_code, answer.json()["name"], answer.json()["slug"]) == (201, "نور", "team")


@pytest.mark.parametrize(
    ("slug", "status"), [("api", 409), ("noor", 409), ("NOOR", 422), ("-x", 422), ("a" * 51, 422), ("free", 200)]
)
def test_addresses_are_free_and_not_needed_by_a_route(noor, slug, status):
    zahra = make_household("zahra")
    answer = call(signed_in(zahra.owner), "PATCH", at(zahra), {"slug": slug})

    assert answer.status_code == status
    assert Organization.objects.get(id=zahra.id).slug == (slug if status == 200 else "zahra")


def test_renaming_is_audited_with_before_and_after(noor):
    call(signed_in(noor.owner), "PATCH", at(noor), {"name": "Noor AI"})

    entry = AuditEntry.objects.get(action="organization.updated")
    assert (entry.before["name"], entry.after["name"], entry.actor_id) == ("Noor", "Noor AI", noor.owner.pk)


@pytest.fixture
def analytics():
    """ClickHouse as it is after `brokle migrate up`."""
    list(ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder()).up(None))
    return clickhouse_url.connect(env.text("CLICKHOUSE_URL"))


def requests_of(client, household):
    sql = "SELECT count() FROM request_logs WHERE organization_id = {id:String}"
    return client.query(sql, parameters={"id": household.id}).result_rows[0][0]


def test_deleting_stops_the_keys_at_once_and_the_data_after_the_grace(noor, analytics):
    zahra = make_household("zahra")
    rows = [["req_1", household.id, utc_now()] for household in (noor, zahra)]
    analytics.insert("request_logs", rows, column_names=["request_id", "organization_id", "at"])
    answer = call(signed_in(noor.owner), "DELETE", at(noor))
    key = key_of(noor)

    assert answer.status_code == 202
    assert compile_key(key.hash) is None
    assert SnapshotChange.objects.filter(object_id=key.hash, urgent=True).exists()
    assert call(signed_in(make_person("x@x.example")), "GET", ORGANIZATIONS, **noor.bearer).status_code == 401
    assert call(signed_in(noor.owner), "GET", at(noor, "/members")).status_code == 404
    assert purge_due(clock=lambda: utc_now() + timedelta(days=13)) == 0
    assert purge_due(clock=lambda: utc_now() + timedelta(days=14, minutes=1)) == 1
    assert not Organization.objects.filter(id=noor.id).exists()
    assert (Project.objects.of(noor.id).count(), ApiKey.objects.of(noor.id).count()) == (0, 0)
    assert ApiKey.objects.of(zahra.id).count() == 1
    assert (requests_of(analytics, noor), requests_of(analytics, zahra)) == (0, 1)
    assert not AuditEntry.objects.filter(organization_id=noor.id).exists()
    assert AuditEntry.objects.get(action="organization.purged").target_id == noor.id


def test_within_the_grace_an_owner_calls_it_off(noor):
    admin = make_member(noor, "admin")
    owner = signed_in(noor.owner)
    call(owner, "DELETE", at(noor))
    assert call(owner, "GET", at(noor)).json()["purge_at"] is not None
    assert call(signed_in(admin), "POST", at(noor, "/restore")).status_code == 403

    assert call(owner, "POST", at(noor, "/restore")).json()["purge_at"] is None
    assert compile_key(key_of(noor).hash) is not None
    assert purge_due(clock=lambda: utc_now() + timedelta(days=30)) == 0


def test_only_an_owner_deletes_or_hands_over(noor):
    admin = make_member(noor, "admin")
    client = signed_in(admin)

    assert call(client, "DELETE", at(noor)).status_code == 403
    assert call(client, "POST", at(noor, "/transfer"), {"user_id": admin.pk}).status_code == 403
    assert Organization.objects.get(id=noor.id).purge_at is None


def test_handing_over_makes_a_member_the_owner(noor):
    mei = make_member(noor, "developer")
    stranger = make_person("stranger@x.example")
    owner = signed_in(noor.owner)
    refused = call(owner, "POST", at(noor, "/transfer"), {"user_id": stranger.pk})
    done = call(owner, "POST", at(noor, "/transfer"), {"user_id": mei.pk})

    assert (refused.status_code, done.status_code) == (422, 200)
    found = dict(Membership.objects.of(noor.id).values_list("user_id", "role"))
    assert found == {mei.pk: "owner", noor.owner.pk: "admin"}


def test_projects_and_environments_live_and_die_with_their_keys(noor):
    owner = signed_in(noor.owner)
    project = call(owner, "POST", at(noor, "/projects"), {"name": "Voice"}).json()
    path = f"/api/v1/projects/{project['id']}"
    staging = call(owner, "POST", f"{path}/environments", {"name": "Staging", "color": "accent"}).json()
    key = call(owner, "POST", f"/api/v1/keys?environment={staging['id']}", {"name": "ci", "scopes": ["gateway"]}).json()
    key_hash = ApiKey.objects.of(noor.id).get(id=key["id"]).hash
    assert (staging["slug"], staging["is_live"], key["value"][:8]) == ("staging", False, "bk_test_")

    assert call(owner, "DELETE", f"/api/v1/environments/{staging['id']}").status_code == 204
    assert compile_key(key_hash) is None
    assert SnapshotChange.objects.filter(object_id=key_hash, urgent=True).exists()
    assert call(owner, "PATCH", path, {"slug": "voice-2"}).json()["slug"] == "voice-2"
    assert call(owner, "DELETE", path).status_code == 204
    last = call(owner, "DELETE", f"/api/v1/projects/{noor.made.project.id}")
    assert (last.status_code, last.json()["detail"]) == (409, "An organization keeps at least one project.")


def test_the_last_environment_of_a_project_stays(noor):
    owner = signed_in(noor.owner)
    call(owner, "DELETE", f"/api/v1/environments/{noor.made.development.id}")
    assert call(owner, "DELETE", f"/api/v1/environments/{noor.production.id}").status_code == 409
    assert Environment.objects.of(noor.id).count() == 1


def test_the_plan_bounds_projects(noor, settings):
    settings.PLAN_LIMITS = {"free": {"projects": 1}}
    answer = call(signed_in(noor.owner), "POST", at(noor, "/projects"), {"name": "Second"})

    assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")
    assert Project.objects.of(noor.id).count() == 1
