import csv
import io
import json

import pytest

from apps.orgs.testing import call, make_household, make_member, signed_in
from brokle.ground.audit_chain import verify_chains
from brokle.ground.models import AuditEntry
from brokle.ground.services import Actor, audit
from brokle.web.exports import csv_lines, json_lines, safe_cell

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def noor():
    return make_household("noor")


def log(household, tail=""):
    return f"/api/v1/organizations/{household.id}/audit-log{tail}"


def body_of(answer):
    return b"".join(answer.streaming_content).decode()


def test_a_change_tells_who_what_and_where_from(noor):
    owner = signed_in(noor.owner)
    call(owner, "PATCH", f"/api/v1/organizations/{noor.id}", {"name": "Noor AI"}, **{"user-agent": "curl/8"})
    entry = call(owner, "GET", f"{log(noor)}?action=organization.updated").json()["data"][0]

    assert (entry["actor_kind"], entry["actor_id"]) == ("user", noor.owner.pk)
    assert (entry["before"], entry["after"]) == (
        {"name": "Noor", "slug": "noor"},
        {"name": "Noor AI", "slug": "noor"},
    )
    assert (entry["ip"], entry["user_agent"]) == ("127.0.0.1", "curl/8")
    assert entry["request_id"].startswith("req_")


def test_filters_narrow_and_pages_follow_each_other(noor):
    owner = signed_in(noor.owner)
    for number in range(5):
        call(owner, "POST", f"/api/v1/organizations/{noor.id}/projects", {"name": f"P{number}"})
    first = call(owner, "GET", f"{log(noor)}?action=project&limit=3").json()
    second = call(owner, "GET", f"{log(noor)}?action=project&limit=3&cursor={first['next_cursor']}").json()
    names = [entry["after"]["name"] for entry in first["data"] + second["data"]]

    assert names == ["P4", "P3", "P2", "P1", "P0"]
    assert second["next_cursor"] is None
    assert call(owner, "GET", f"{log(noor)}?actor=usr_nobody").json()["data"] == []
    assert (
        len(call(owner, "GET", f"{log(noor)}?since=2001-01-01T00:00:00Z&until=2002-01-01T00:00:00Z").json()["data"])
        == 0
    )


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-13-01T00:00:00Z", "since=2026-01-01", "colour=red"])
def test_filters_that_make_no_sense_are_refused(noor, query):
    assert call(signed_in(noor.owner), "GET", f"{log(noor)}?{query}").status_code == 400


def test_the_export_is_complete_and_itself_recorded(noor):
    owner = signed_in(noor.owner)
    call(owner, "PATCH", f"/api/v1/organizations/{noor.id}", {"name": '=HYPERLINK("http://x")'})
    rows = list(csv.DictReader(io.StringIO(body_of(call(owner, "GET", log(noor, "/export?format=csv"))))))
    found = json.loads(body_of(call(owner, "GET", log(noor, "/export?format=json&action=organization"))))

    stored = AuditEntry.objects.filter(organization_id=noor.id).order_by("-sequence")
    assert [row["entry_id"] for row in rows] == [e.entry_id for e in stored if e.sequence <= int(rows[0]["sequence"])]
    assert [row["action"] for row in found] == ["organization.updated", "organization.created"]
    assert found[0]["after"]["name"] == '=HYPERLINK("http://x")'
    assert [e.after for e in stored.filter(action="audit.exported")] == [{"format": "json"}, {"format": "csv"}]


def test_who_is_no_manager_sees_no_log(noor):
    client = signed_in(make_member(noor, "developer"))
    assert call(client, "GET", log(noor)).status_code == 403
    assert call(client, "GET", log(noor, "/export")).status_code == 403
    assert not AuditEntry.objects.filter(action="audit.exported").exists()


def test_an_edit_after_the_fact_is_found(noor):
    call(signed_in(noor.owner), "PATCH", f"/api/v1/organizations/{noor.id}", {"name": "Noor AI"})
    assert verify_chains().broken == ()
    entry = AuditEntry.objects.get(organization_id=noor.id, action="organization.updated")
    AuditEntry.objects.filter(pk=entry.pk).update(actor_id="usr_somebody_else")

    assert [(b.sequence, b.reason) for b in verify_chains().broken] == [(entry.sequence, "its content was changed")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\uff1d1"])
def test_no_cell_is_a_formula(text):
    assert safe_cell(text) == f"'{text}"
    assert list(csv_lines(["a"], [{"a": text}]))[1].startswith("\"'")


def test_exports_of_nothing_are_valid():
    assert json.loads("".join(json_lines([]))) == []
    assert "".join(csv_lines(["a", "b"], [])) == '"a","b"\r\n'


def test_people_read_names_where_the_log_holds_ids(noor):
    zahra = make_household("zahra")
    audit(
        organization_id=noor.id,
        actor=Actor("key", noor.key.key_id),
        action="project.updated",
        target_kind="project",
        target_id=noor.made.project.id,
        before={"is_live": False},
        after={
            "environment": noor.production.id,
            "owner": noor.owner.pk,
            "foreign": zahra.production.id,
            "is_live": True,
            "until": "2026-11-23T08:40:22.822000+00:00",
        },
    )
    row = signed_in(noor.owner).get("/noor/settings/audit").context["rows"][0]

    assert (row.actor, row.target, row.target_id) == ("all scopes", "default", noor.made.project.id)
    assert {name: after for name, _before, after in row.changes} == {
        "environment": "production",
        "owner": "owner@noor.example",
        "foreign": zahra.production.id,
        "is_live": "true",
        "until": "2026-11-23 08:40",
    }
