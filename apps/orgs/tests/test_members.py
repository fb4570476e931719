import pytest
from django.test import Client

from apps.orgs.models import Membership, ProjectMembership
from apps.orgs.testing import call, make_household, make_member, make_person, signed_in
from brokle.ground.models import AuditEntry, OutboxEntry

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def noor():
    return make_household("noor")


def members(household):
    return f"/api/v1/organizations/{household.id}/members"


def membership(household, person):
    return Membership.objects.of(household.id).get(user=person)


def roles(household):
    return dict(Membership.objects.of(household.id).values_list("user__email", "role"))


def test_an_owner_sees_and_changes_everybody(noor):
    viewer = make_member(noor, "viewer")
    owner = signed_in(noor.owner)
    listed = call(owner, "GET", f"{members(noor)}?role=viewer").json()["data"]
    answer = call(owner, "PATCH", f"{members(noor)}/{membership(noor, viewer).id}", {"role": "developer"})

    assert [(line["email"], line["role"]) for line in listed] == [("viewer@noor.example", "viewer")]
    assert (answer.status_code, answer.json()["role"]) == (200, "developer")
    entry = AuditEntry.objects.get(action="member.role_changed")
    assert (entry.target_id, entry.before, entry.after) == (viewer.pk, {"role": "viewer"}, {"role": "developer"})
    assert OutboxEntry.objects.filter(topic="events", payload__event="member.role_changed").count() == 1


@pytest.mark.parametrize("role", ["developer", "viewer", "billing"])
def test_only_owners_and_administrators_manage_members(noor, role):
    person, other = make_member(noor, role), make_member(noor, "consumer")
    before = roles(noor)
    client = signed_in(person)

    changed = call(client, "PATCH", f"{members(noor)}/{membership(noor, other).id}", {"role": "admin"})
    removed = call(client, "DELETE", f"{members(noor)}/{membership(noor, other).id}")

    assert (changed.status_code, removed.status_code) == (403, 403)
    assert roles(noor) == before


def test_an_administrator_cannot_touch_owners_nor_make_one(noor):
    admin, viewer = make_member(noor, "admin"), make_member(noor, "viewer")
    before = roles(noor)
    client = signed_in(admin)
    answers = [
        call(client, "PATCH", f"{members(noor)}/{membership(noor, noor.owner).id}", {"role": "viewer"}),
        call(client, "DELETE", f"{members(noor)}/{membership(noor, noor.owner).id}"),
        call(client, "PATCH", f"{members(noor)}/{membership(noor, viewer).id}", {"role": "owner"}),
        call(client, "PATCH", f"{members(noor)}/{membership(noor, admin).id}", {"role": "owner"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert roles(noor) == before


def test_the_last_owner_can_neither_leave_nor_step_down(noor):
    client = signed_in(noor.owner)
    own = f"{members(noor)}/{membership(noor, noor.owner).id}"

    assert call(client, "DELETE", own).status_code == 409
    assert call(client, "PATCH", own, {"role": "admin"}).status_code == 409
    assert roles(noor) == {"owner@noor.example": "owner"}

    second = make_person("second@noor.example")
    Membership.objects.create(organization=noor.made.organization, user=second, role="owner")
    assert call(client, "DELETE", own).status_code == 204
    assert roles(noor) == {"second@noor.example": "owner"}
    assert AuditEntry.objects.filter(action="member.left", target_id=noor.owner.pk).count() == 1


def test_anybody_may_leave(noor):
    viewer = make_member(noor, "viewer")
    assert call(signed_in(viewer), "DELETE", f"{members(noor)}/{membership(noor, viewer).id}").status_code == 204
    assert roles(noor) == {"owner@noor.example": "owner"}
    assert call(signed_in(viewer), "GET", members(noor)).status_code == 404


def test_a_role_in_one_project_counts_there_and_nowhere_else(noor):
    guest = make_member(noor, "consumer")
    owner, client = signed_in(noor.owner), signed_in(guest)
    other = call(owner, "POST", f"/api/v1/organizations/{noor.id}/projects", {"name": "Other"}).json()
    first = noor.made.project.id
    at_first = f"/api/v1/keys?environment={noor.production.id}"
    assert call(client, "GET", at_first).status_code == 404

    given = call(owner, "PUT", f"/api/v1/projects/{first}/members/{membership(noor, guest).id}", {"role": "developer"})
    assert (given.status_code, given.json()["role"]) == (200, "developer")
    assert call(client, "GET", at_first).status_code == 200
    assert call(client, "POST", at_first, {"name": "ci", "scopes": ["gateway"]}).status_code == 201
    listed = call(client, "GET", f"/api/v1/organizations/{noor.id}/projects").json()["data"]
    assert [project["id"] for project in listed] == [first]
    assert call(client, "GET", f"/api/v1/projects/{other['id']}").status_code == 404

    assert call(owner, "DELETE", f"/api/v1/projects/{first}/members/{membership(noor, guest).id}").status_code == 204
    assert call(client, "GET", at_first).status_code == 404
    assert ProjectMembership.objects.of(noor.id).count() == 0


def test_members_of_another_organization_are_not_there(noor):
    zahra = make_household("zahra")
    theirs = membership(zahra, zahra.owner).id
    client = signed_in(noor.owner)
    answers = [
        call(client, "GET", members(zahra)),
        call(client, "GET", f"{members(noor)}/{theirs}"),
        call(client, "PATCH", f"{members(noor)}/{theirs}", {"role": "viewer"}),
        call(client, "DELETE", f"{members(noor)}/{theirs}"),
        call(client, "PUT", f"/api/v1/projects/{noor.made.project.id}/members/{theirs}", {"role": "owner"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert roles(zahra) == {"owner@zahra.example": "owner"}


def test_api_keys_do_not_manage_people(noor):
    viewer = make_member(noor, "viewer")
    one = f"{members(noor)}/{membership(noor, viewer).id}"
    client = Client()
    answers = [
        call(client, "GET", members(noor), **noor.bearer),
        call(client, "DELETE", one, **noor.bearer),
        call(client, "POST", f"/api/v1/organizations/{noor.id}/transfer", {"user_id": viewer.pk}, **noor.bearer),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert len(roles(noor)) == 2


def test_a_page_removes_nobody_whose_address_was_not_typed():
    noor = make_household("noor")
    viewer = make_member(noor, "viewer")
    seat = Membership.objects.of(noor.id).get(user=viewer)
    owner, path = signed_in(noor.owner), f"/noor/settings/members/{seat.id}/remove"
    for typed in ("", "Viewer", "owner@noor.example"):
        owner.post(path, {"confirm": typed})
    assert Membership.objects.of(noor.id).filter(id=seat.id).exists()
    owner.post(path, {"confirm": " Viewer@Noor.example "})

    assert not Membership.objects.of(noor.id).filter(id=seat.id).exists()


def test_who_leaves_types_their_address_and_lands_outside():
    noor = make_household("noor")
    viewer = make_member(noor, "viewer")
    seat = Membership.objects.of(noor.id).get(user=viewer)
    response = signed_in(viewer).post(f"/noor/settings/members/{seat.id}/remove", {"confirm": viewer.email})

    assert (response.status_code, response["location"]) == (302, "/dashboard")
    assert not Membership.objects.of(noor.id).filter(user=viewer).exists()
