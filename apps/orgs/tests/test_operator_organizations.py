"""The operator among organizations: finds, suspends, opens and bounds them, on pages and over the API."""

import pytest
from django.test import Client

from apps.orgs.models import Membership, Notification, Organization
from apps.orgs.services.suspension import suspend_organization
from apps.orgs.services.tokens import issue_token
from apps.orgs.snapshot import compile_key, compile_keys
from apps.orgs.testing import call, make_household, make_member, make_operator, make_person, signed_in
from apps.users.testing import promised_letters
from brokle.edge.principal import decode_key
from brokle.ground.models import AuditEntry, SnapshotChange
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM, Actor
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
LIST, PAGES = "/api/v1/operator/organizations", "/admin/organizations"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def operator():
    return make_operator()


@pytest.fixture
def client(operator):
    return signed_in(operator)


def at(household, tail=""):
    return f"{LIST}/{household.id}{tail}"


def page_of(household, tail=""):
    return f"{PAGES}/{household.id}{tail}"


def slugs(answer):
    return [found["slug"] for found in answer.json()["data"]]


def key_hash(household):
    from apps.orgs.models import ApiKey

    return ApiKey.objects.of(household.id).get(id=household.key.key_id).hash


def stored(household):
    return Organization.objects.get(id=household.id)


def test_organizations_are_found_by_name_slug_id_and_a_members_address(client, noor):
    zahra = make_household("zahra")
    make_member(zahra, "viewer")

    assert slugs(call(client, "GET", LIST)) == ["zahra", "noor"]
    for text, found in (
        ("OOR", ["noor"]),
        ("zah", ["zahra"]),
        (noor.id, ["noor"]),
        (noor.id[:-1], []),
        ("viewer@zahra", ["zahra"]),
        ("nobody", []),
    ):
        assert slugs(call(client, "GET", f"{LIST}?q={text}")) == found
        listed = client.get(f"{PAGES}?q={text}").content.decode()
        assert [slug for slug in ("noor", "zahra") if f"<code>{slug}</code>" in listed] == sorted(found)


def test_a_line_counts_members_and_projects_without_multiplying_them(client, noor):
    from apps.orgs.services.projects import create_project

    for role in ("admin", "viewer"):
        make_member(noor, role)
    create_project(organization_id=noor.id, name="Second", actor=SYSTEM)
    [line] = call(client, "GET", LIST).json()["data"]

    assert (line["members"], line["projects"], line["state"], line["plan"]) == (3, 2, "open", "free")


def test_pages_follow_each_other_by_cursor(client):
    for number in range(3):
        make_household(f"org-{number}")
    first = call(client, "GET", f"{LIST}?limit=2").json()
    second = call(client, "GET", f"{LIST}?limit=2&cursor={first['next_cursor']}").json()

    assert [line["slug"] for line in first["data"] + second["data"]] == ["org-2", "org-1", "org-0"]
    assert second["next_cursor"] is None


def test_states_are_told_apart(client, noor):
    for slug, changes in (("closed", {"purge_at": utc_now()}), ("stopped", {"suspended_at": utc_now()})):
        Organization.objects.filter(id=make_household(slug).id).update(**changes)

    for state, found in (("open", ["noor"]), ("closing", ["closed"]), ("suspended", ["stopped"])):
        assert slugs(call(client, "GET", f"{LIST}?state={state}")) == found
    assert call(client, "GET", f"{LIST}?state=lost").status_code == 400


def test_a_list_asks_as_often_for_many_as_for_one(client, noor, django_assert_num_queries):
    call(client, "GET", LIST)  # notes that the session was seen
    with django_assert_num_queries(2):
        call(client, "GET", LIST)
    for number in range(4):
        make_household(f"org-{number}")
    with django_assert_num_queries(2):
        call(client, "GET", LIST)


def test_suspending_is_audited_told_and_reaches_the_snapshot(client, operator, noor):
    SnapshotChange.objects.all().delete()
    answer = call(client, "POST", at(noor, "/suspend"), {"reason": "The bill is unpaid"})
    found = answer.json()

    assert (answer.status_code, found["state"], found["suspension_reason"]) == (200, "suspended", "The bill is unpaid")
    entry = AuditEntry.objects.get(organization_id=noor.id, action="organization.suspended")
    assert (entry.actor_kind, entry.actor_id, entry.after) == (
        "operator",
        operator.pk,
        {"reason": "The bill is unpaid"},
    )
    assert SnapshotChange.objects.filter(kind="key", object_id=key_hash(noor), urgent=True).count() == 1
    principal = decode_key(compile_key(key_hash(noor)))
    assert (principal.is_suspended, principal.scopes) == (True, frozenset())
    while deliver_due():
        pass
    assert Notification.objects.across_organizations().get(event="organization.suspended").user_id == noor.owner.pk
    first_line = "The organization was suspended: Noor · The bill is unpaid"
    letters = [letter for letter in promised_letters() if letter.text.splitlines()[0] == first_line]
    assert [letter.to for letter in letters] == [noor.owner.email]


def test_resuming_brings_everything_back(client, noor):
    call(client, "POST", at(noor, "/suspend"), {"reason": "unpaid"})
    answer = call(client, "POST", at(noor, "/resume"))

    assert (answer.status_code, answer.json()["state"], answer.json()["suspension_reason"]) == (200, "open", "")
    principal = decode_key(dict(compile_keys())[key_hash(noor)])
    assert (principal.is_suspended, "gateway" in principal.scopes) == (False, True)
    assert call(Client(), "GET", "/api/v1/organizations", **noor.bearer).status_code == 200
    assert AuditEntry.objects.get(action="organization.resumed").before == {"reason": "unpaid"}


@pytest.mark.parametrize(
    ("tail", "body", "status"), [("/suspend", {"reason": " "}, 422), ("/suspend", {}, 422), ("/resume", {}, 409)]
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(client, noor, tail, body, status):
    assert call(client, "POST", at(noor, tail), body).status_code == status
    assert stored(noor).suspended_at is None
    assert not AuditEntry.objects.filter(action__startswith="organization.s").exists()


def test_what_is_suspended_is_not_suspended_twice(client, noor):
    call(client, "POST", at(noor, "/suspend"), {"reason": "first"})

    assert call(client, "POST", at(noor, "/suspend"), {"reason": "second"}).status_code == 409
    assert stored(noor).suspension_reason == "first"


def test_members_read_the_reason_and_strangers_still_find_nothing(noor):
    suspend_organization(organization_id=noor.id, reason="Abuse <b>", actor=SYSTEM)
    viewer, stranger = signed_in(make_member(noor, "viewer")), signed_in(make_person("x@x.example"))
    production = f"environment={noor.production.id}"
    calls = (
        f"/api/v1/organizations/{noor.id}",
        f"/api/v1/organizations/{noor.id}/projects",
        f"/api/v1/projects/{noor.made.project.id}",
        f"/api/v1/keys?{production}",
    )
    for path in calls:
        answer = viewer.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended"), path
        assert (answer.json()["title"], answer.json()["detail"]) == ("This organization is suspended", "Abuse <b>")
        assert stranger.get(path).status_code == 404, path
    for path in ("/noor/", "/noor/settings", "/noor/settings/keys", f"/organizations/{noor.id}/closing"):
        answer = viewer.get(path)
        assert answer.status_code == 403, path
        assert "This organization is suspended" in answer.content.decode()
        assert "Abuse &lt;b&gt;" in answer.content.decode()
        assert stranger.get(path).status_code == 404, path


def test_whoever_has_only_a_suspended_organization_is_led_to_the_reason(noor):
    suspend_organization(organization_id=noor.id, reason="unpaid", actor=SYSTEM)
    owner = signed_in(noor.owner)
    assert owner.get("/dashboard")["location"] == "/noor/"

    Membership.objects.create(organization=make_household("zahra").made.organization, user=noor.owner, role="viewer")
    assert owner.get("/dashboard")["location"] == "/zahra/"


def test_the_page_suspends_only_with_the_address_typed(client, noor):
    wrong = client.post(page_of(noor, "/suspend"), {"confirm": "nor", "reason": "unpaid"}, follow=True)
    assert "The address did not match" in wrong.content.decode()
    assert stored(noor).suspended_at is None

    done = client.post(page_of(noor, "/suspend"), {"confirm": "noor", "reason": "unpaid"}, follow=True)
    assert "its members read this reason" in done.content.decode()
    assert stored(noor).suspension_reason == "unpaid"
    client.post(page_of(noor, "/resume"))
    assert stored(noor).suspended_at is None


def test_the_operators_word_stands_over_the_plan(client, noor, settings):
    settings.PLAN_LIMITS = {"free": {"projects": 1}, "team": {"projects": 5}}
    owner, projects = signed_in(noor.owner), f"/api/v1/organizations/{noor.id}/projects"
    assert call(owner, "POST", projects, {"name": "Second"}).status_code == 409

    changed = call(client, "PATCH", at(noor), {"projects_limit": 2}).json()
    assert (changed["plan"], changed["members_limit"], changed["projects_limit"]) == ("free", None, 2)
    assert call(owner, "POST", projects, {"name": "Second"}).status_code == 201
    assert call(client, "PATCH", at(noor), {"plan": "team", "projects_limit": None}).json()["projects_limit"] is None
    entry = AuditEntry.objects.filter(action="organization.limits_changed").order_by("-sequence")[0]
    assert entry.before == {"plan": "free", "members_limit": None, "projects_limit": 2}
    assert entry.after == {"plan": "team", "members_limit": None, "projects_limit": None}


@pytest.mark.parametrize("body", [{"plan": "gold"}, {"members_limit": 0}, {"projects_limit": -1}, {"plan": ""}])
def test_limits_that_make_no_sense_are_refused(client, noor, body):
    assert call(client, "PATCH", at(noor), body).status_code == 422
    assert (stored(noor).plan, stored(noor).members_limit, stored(noor).projects_limit) == ("free", None, None)


def test_the_page_sets_plan_and_limits_and_empty_leaves_them_to_the_plan(client, noor):
    done = client.post(page_of(noor), {"plan": "pro", "members_limit": "7", "projects_limit": ""})
    refused = client.post(page_of(noor), {"plan": "pro", "members_limit": "0"})

    assert (done.status_code, refused.status_code) == (302, 422)
    assert (stored(noor).plan, stored(noor).members_limit, stored(noor).projects_limit) == ("pro", 7, None)


def test_the_log_holds_what_operators_did_anywhere_and_nothing_else_of_an_organization(client, noor):
    call(client, "POST", at(noor, "/suspend"), {"reason": "unpaid"})
    call(client, "POST", at(noor, "/resume"))
    call(signed_in(noor.owner), "PATCH", f"/api/v1/organizations/{noor.id}", {"name": "Renamed"})
    html = client.get("/admin/log").content.decode()

    assert "organization.suspended" in html
    assert "organization.updated" not in html
    assert "organization.suspended" not in client.get("/admin/log?action=account").content.decode()
    about = client.get(f"/admin/log?q={noor.id}").content.decode()
    assert ("organization.resumed" in about, "account." in about) == (True, False)


def test_the_members_log_tells_the_operators_hand(client, noor):
    call(client, "POST", at(noor, "/suspend"), {"reason": "unpaid"})
    call(client, "POST", at(noor, "/resume"))
    html = signed_in(noor.owner).get("/noor/settings/audit").content.decode()

    assert "organization.suspended" in html
    assert ">operator<" in html.replace("<code>", "").replace("</code>", "")


def test_a_token_of_the_operator_serves_and_one_that_only_reads_only_reads(operator, noor):
    whole = issue_token(user_id=operator.pk, name="whole", actor=SYSTEM).value
    reads = issue_token(user_id=operator.pk, name="reads", actor=SYSTEM, is_read_only=True).value
    heads = [{"authorization": f"Bearer {value}"} for value in (whole, reads)]

    assert [call(Client(), "GET", LIST, **head).status_code for head in heads] == [200, 200]
    assert call(Client(), "POST", at(noor, "/suspend"), {"reason": "x"}, **heads[1]).status_code == 403
    assert stored(noor).suspended_at is None


def test_who_is_no_operator_any_more_finds_nothing_at_once(operator, client, noor):
    from apps.users import facade as users

    make_operator("other@brokle.example")
    users.unmake_operator(user_id=operator.pk, actor=Actor("cli", "brokle"))

    assert client.get(PAGES).status_code == 404
    assert call(client, "GET", LIST).status_code == 404


def test_only_operators_are_shown_the_way(client, noor):
    owner = signed_in(noor.owner)
    ways = [client.get("/palette.json").json(), owner.get("/palette.json").json()]
    hrefs = [{line["href"] for line in way["commands"]} for way in ways]

    assert {"/admin/organizations", "/admin/people", "/admin/log", "/debug/"} <= hrefs[0]
    assert not any(href.startswith(("/admin", "/debug")) for href in hrefs[1])
    assert 'href="/admin/organizations"' in client.get("/settings").content.decode()
    assert "/admin/" not in owner.get("/settings").content.decode()
    assert client.get("/admin/")["location"] == PAGES


def test_every_page_speaks_arabic(client, noor):
    client.cookies["brokle_language"] = "ar"
    for path in (PAGES, page_of(noor), "/admin/people", f"/admin/people/{noor.owner.pk}", "/admin/log"):
        html = client.get(path).content.decode()
        assert 'dir="rtl"' in html
        assert "المنصة" in html, path
