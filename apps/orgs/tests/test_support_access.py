"""Support access: an operator in an organization for an hour, seen by everybody whom it concerns."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync

from apps.orgs import facade
from apps.orgs.models import ApiKey, Membership, Notification, Project, SupportAccess
from apps.orgs.selectors.organizations import find_standing, list_organizations_of
from apps.orgs.selectors.projects import find_organization_of_member
from apps.orgs.services.members import remove_member
from apps.orgs.services.support import begin_support, end_support, note_ended
from apps.orgs.services.suspension import suspend_organization
from apps.orgs.services.tokens import issue_token
from apps.orgs.testing import call, make_household, make_member, make_operator, signed_in
from apps.users import facade as users
from apps.users.testing import promised_letters
from brokle.ground.models import AuditEntry
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM, Actor
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Conflict

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
NEW = {"name": "ci", "scopes": ["gateway"]}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def operator():
    return make_operator()


@pytest.fixture
def client(operator):
    return signed_in(operator)


def at(household):
    return f"/api/v1/operator/organizations/{household.id}/support-access"


def begin(household, operator, level="look", **options):
    return begin_support(
        organization_id=household.id,
        user_id=operator.pk,
        reason="Ticket 4711",
        level=level,
        actor=Actor("operator", operator.pk),
        **options,
    )


def places(household):
    return (
        "/noor/",
        "/noor/settings/members",
        f"/api/v1/organizations/{household.id}",
        f"/api/v1/organizations/{household.id}/projects",
        f"/api/v1/projects/{household.made.project.id}",
        f"/api/v1/keys?environment={household.production.id}",
    )


def statuses(client, household):
    return [client.get(path).status_code for path in places(household)]


def may_watch(person, household):
    return async_to_sync(facade.may_watch_environment)(person.pk, household.production.id, "requests.read")


def in_an_hour():
    return utc_now() + timedelta(hours=1, seconds=1)


def test_it_opens_pages_api_and_live_rooms_and_its_end_closes_them(client, operator, noor):
    assert statuses(client, noor) == [404] * 6
    begun = call(client, "POST", at(noor), {"reason": "Ticket 4711"})
    assert (begun.status_code, begun.json()["level"], begun.json()["ended_at"]) == (201, "look", None)

    assert statuses(client, noor) == [200] * 6
    assert may_watch(operator, noor) is True
    assert [ref.slug for ref in list_organizations_of(user_id=operator.pk)] == ["noor"]
    assert call(client, "DELETE", at(noor)).status_code == 204
    assert statuses(client, noor) == [404] * 6
    assert may_watch(operator, noor) is False
    assert call(client, "DELETE", at(noor)).status_code == 404


def test_its_hour_is_over_by_the_clock_of_the_request_and_no_job(client, operator, noor):
    access = begin(noor, operator)
    assert access.expires_at - access.started_at == timedelta(hours=1)
    earlier = lambda: access.expires_at - timedelta(seconds=1)  # noqa: E731
    later = lambda: access.expires_at  # noqa: E731

    assert find_standing(user_id=operator.pk, organization_id=noor.id, clock=earlier).role == "viewer"
    assert find_standing(user_id=operator.pk, organization_id=noor.id, clock=later) is None
    ask = {"user_id": operator.pk, "environment_id": noor.production.id}
    assert find_organization_of_member(**ask, clock=earlier) == noor.id
    assert find_organization_of_member(**ask, clock=later) is None
    SupportAccess.objects.of(noor.id).update(expires_at=utc_now())
    assert statuses(client, noor) == [404] * 6


def test_looking_changes_nothing_and_helping_owns_nothing(client, operator, noor):
    environment = f"environment={noor.production.id}"
    access = begin(noor, operator)
    assert call(client, "POST", f"/api/v1/keys?{environment}", NEW).status_code == 403
    assert call(client, "PATCH", f"/api/v1/organizations/{noor.id}", {"name": "Taken"}).status_code == 403
    end_support(access=access, actor=SYSTEM)

    begin(noor, operator, "help")
    assert call(client, "POST", f"/api/v1/keys?{environment}", NEW).status_code == 201
    assert call(client, "DELETE", f"/api/v1/organizations/{noor.id}").status_code == 403
    transfer = f"/api/v1/organizations/{noor.id}/transfer"
    assert call(client, "POST", transfer, {"user_id": noor.owner.pk}).status_code == 403
    seat = Membership.objects.of(noor.id).get(user=noor.owner)
    member = f"/api/v1/organizations/{noor.id}/members/{seat.id}"
    assert call(client, "PATCH", member, {"role": "viewer"}).status_code == 403
    assert Membership.objects.of(noor.id).get().role == "owner"


def test_what_is_changed_under_it_stands_in_the_log_as_by_support(client, operator, noor):
    begin(noor, operator, "help")
    call(client, "POST", f"/api/v1/keys?environment={noor.production.id}", NEW)
    client.post("/noor/settings/projects", {"name": "Made on a page"})
    entries = AuditEntry.objects.filter(organization_id=noor.id, actor_id=operator.pk).order_by("sequence")

    assert [(entry.action, entry.actor_kind) for entry in entries] == [
        ("support_access.started", "operator"),
        ("key.created", "support"),
        ("project.created", "support"),
    ]
    html = signed_in(noor.owner).get("/noor/settings/audit").content.decode()
    assert html.count("by support") == 2
    assert "Ticket 4711" in html
    assert "key.created" in client.get("/admin/log").content.decode()


def test_by_a_token_it_is_by_support_too(operator, noor):
    from django.test import Client

    begin(noor, operator, "help")
    token = issue_token(user_id=operator.pk, name="cli", actor=SYSTEM).value
    head = {"authorization": f"Bearer {token}"}
    call(Client(), "POST", f"/api/v1/organizations/{noor.id}/projects", {"name": "Second"}, **head)

    assert AuditEntry.objects.get(action="project.created").actor_kind == "support"


def test_what_an_operator_does_in_their_own_organization_is_not_by_support(noor, operator):
    Membership.objects.create(organization=noor.made.organization, user=operator, role="admin")
    call(signed_in(operator), "POST", f"/api/v1/organizations/{noor.id}/projects", {"name": "Second"})

    assert AuditEntry.objects.get(action="project.created").actor_kind == "user"


def test_started_and_ended_tell_who_why_and_until_when(operator, noor):
    access = begin(noor, operator, "help")
    end_support(access=access, actor=Actor("operator", operator.pk))
    started, ended = AuditEntry.objects.filter(target_id=access.id).order_by("sequence")
    facts = {
        "user_id": operator.pk,
        "level": "help",
        "reason": "Ticket 4711",
        "until": access.expires_at.isoformat(timespec="seconds"),
    }

    assert (started.action, started.actor_id, started.after) == ("support_access.started", operator.pk, facts)
    assert (ended.action, ended.actor_id, ended.before) == ("support_access.ended", operator.pk, facts)


def test_owners_get_a_mail_and_managers_a_notification(operator, noor):
    make_member(noor, "admin")
    make_member(noor, "developer")
    while deliver_due():
        pass
    begin(noor, operator)
    while deliver_due():
        pass
    told = Notification.objects.across_organizations().filter(event="support_access.started")
    first_line = f"Support entered the organization: {operator.email} · Ticket 4711"
    letters = [one for one in promised_letters() if one.text.splitlines()[0] == first_line]

    assert sorted(told.values_list("user__email", flat=True)) == ["admin@noor.example", "owner@noor.example"]
    assert [letter.to for letter in letters] == ["owner@noor.example"]


def test_a_line_above_every_page_says_so_to_the_operator_alone(client, operator, noor):
    begin(noor, operator)
    for path in ("/noor/", "/settings", "/admin/people", "/debug/memory"):
        html = client.get(path).content.decode()
        assert "You look into" in html, path
        assert "End it" in html, path
    assert "You look into" not in signed_in(noor.owner).get("/noor/").content.decode()
    access = SupportAccess.objects.of(noor.id).get()
    ended = client.post(f"/admin/support-access/{access.id}/end", follow=True)

    assert "You look into" not in ended.content.decode()
    assert SupportAccess.objects.of(noor.id).get().ended_at is not None


@pytest.mark.parametrize(
    ("body", "status"), [({}, 422), ({"reason": " "}, 422), ({"reason": "x", "level": "own"}, 422)]
)
def test_without_a_reason_or_a_known_level_nothing_begins(client, noor, body, status):
    assert call(client, "POST", at(noor), body).status_code == status
    assert client.post(f"/admin/organizations/{noor.id}/support-access", body).status_code == 422
    assert not SupportAccess.objects.of(noor.id).exists()


def test_it_does_not_begin_twice_nor_for_a_member_nor_where_nobody_can_work(operator, noor):
    begin(noor, operator)
    with pytest.raises(Conflict, match="already"):
        begin(noor, operator)
    begin(noor, operator, clock=in_an_hour)
    Membership.objects.create(organization=noor.made.organization, user=make_operator("b@b.example"), role="viewer")
    with pytest.raises(Conflict, match="a member"):
        begin(noor, Membership.objects.of(noor.id).get(role="viewer").user)
    zahra = make_household("zahra")
    suspend_organization(organization_id=zahra.id, reason="unpaid", actor=SYSTEM)
    with pytest.raises(Conflict, match="Nobody can work"):
        begin(zahra, operator)

    assert SupportAccess.objects.of(noor.id).filter(ended_at=None).count() == 1
    assert not SupportAccess.objects.of(zahra.id).exists()


def test_suspending_the_organization_ends_it_and_so_does_losing_the_mark(client, operator, noor):
    begin(noor, operator)
    suspend_organization(organization_id=noor.id, reason="unpaid", actor=SYSTEM)
    assert statuses(client, noor) == [404] * 6

    zahra = make_household("zahra")
    begin(zahra, operator)
    make_operator("other@brokle.example")
    assert find_standing(user_id=operator.pk, slug="zahra") is not None
    users.unmake_operator(user_id=operator.pk, actor=Actor("cli", "brokle"))
    assert find_standing(user_id=operator.pk, slug="zahra") is None


def test_a_membership_counts_before_it(operator, noor):
    begin(noor, operator, "help")
    Membership.objects.create(organization=noor.made.organization, user=operator, role="viewer")
    standing = find_standing(user_id=operator.pk, slug="noor")

    assert (standing.role, standing.is_support) == ("viewer", False)


def test_one_operator_ends_anothers(client, noor):
    access = begin(noor, make_operator("other@brokle.example"))

    assert client.post(f"/admin/support-access/{access.id}/end").status_code == 302
    assert SupportAccess.objects.of(noor.id).get().ended_at is not None


def test_an_end_by_time_is_written_down_once(operator, noor):
    access = begin(noor, operator)

    assert note_ended() == 0
    assert (note_ended(clock=in_an_hour), note_ended(clock=in_an_hour)) == (1, 0)
    entry = AuditEntry.objects.get(action="support_access.ended")
    assert (entry.actor_kind, entry.after) == ("system", {"ended_at": access.expires_at.isoformat(timespec="seconds")})
    with pytest.raises(Conflict):
        end_support(access=access, actor=SYSTEM)


def test_ordinary_members_cost_no_query_more(noor, django_assert_num_queries):
    with django_assert_num_queries(2):
        find_standing(user_id=noor.owner.pk, slug="noor")
    with django_assert_num_queries(1):
        list_organizations_of(user_id=noor.owner.pk)
    with django_assert_num_queries(1):
        find_organization_of_member(user_id=noor.owner.pk, project_id=noor.made.project.id)


def test_ones_own_organizations_come_first_oldest_foremost(operator, noor):
    for slug in ("zahra", "amal"):
        household = make_household(slug)
        Membership.objects.create(organization=household.made.organization, user=operator, role="viewer")
    begin(noor, operator)

    assert [ref.slug for ref in list_organizations_of(user_id=operator.pk)] == ["zahra", "amal", "noor"]


def test_nobody_becomes_a_member_or_leaves_by_it(operator, noor):
    begin(noor, operator, "help")
    standing = find_standing(user_id=operator.pk, slug="noor")
    viewer = make_member(noor, "viewer")
    remove_member(
        standing=standing,
        membership=Membership.objects.of(noor.id).get(user=viewer),
        actor=Actor("support", operator.pk),
    )

    assert not Membership.objects.of(noor.id).filter(user=operator).exists()
    assert AuditEntry.objects.get(action="member.removed").actor_kind == "support"
    assert (Project.objects.of(noor.id).count(), ApiKey.objects.of(noor.id).count()) == (1, 1)
