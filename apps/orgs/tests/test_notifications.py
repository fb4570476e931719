import re
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from apps.orgs.models import ApiKey, Environment, Membership, Notification, NotificationPreference, Project, Webhook
from apps.orgs.selectors.destinations import Thing, path_to
from apps.orgs.selectors.notifications import count_unread
from apps.orgs.selectors.organizations import find_standing
from apps.orgs.services import invitations, members, webhooks
from apps.orgs.services.keys import issue_key, revoke_key
from apps.orgs.services.notifications import forget_old_notifications, notify_event
from apps.orgs.services.projects import create_project
from apps.orgs.testing import call, make_household, make_member, make_person, signed_in
from apps.users.testing import promised_letters
from brokle.ground.models import OutboxEntry
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM, Actor, announce
from brokle.kernel.clock import utc_now
from brokle.kernel.extensions import EventType, event_types, live_rooms
from brokle.web.mail.sending import TOPIC

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
LIST, PREFERENCES = "/api/v1/notifications", "/api/v1/notification-preferences"


def drain():
    while deliver_due():
        pass


@pytest.fixture
def noor():
    household = make_household("noor")
    drain()
    Notification.objects.across_organizations().delete()
    OutboxEntry.objects.filter(topic=TOPIC).delete()
    return household


def told(event):
    rows = Notification.objects.across_organizations().filter(event=event)
    return sorted(rows.values_list("user__email", flat=True))


def mailed():
    """To whom, and the first words of the text."""
    return sorted((letter.to, letter.text.splitlines()[0].partition(":")[0]) for letter in promised_letters())


def test_who_may_is_told_and_managers_get_a_mail_but_never_who_did_it(noor):
    for role in ("admin", "developer", "viewer", "billing"):
        make_member(noor, role)
    issue_key(environment=noor.production, name="ci", scopes=["gateway"], actor=Actor("user", noor.owner.pk))
    drain()

    assert told("key.created") == ["admin@noor.example", "developer@noor.example"]
    assert mailed() == [("admin@noor.example", "An API key was created")]
    assert Notification.objects.of(noor.id).first().about == "ci"


def test_another_organization_hears_nothing(noor):
    make_household("zahra")
    drain()
    Notification.objects.across_organizations().delete()
    announce(organization_id=noor.id, event="organization.updated", data={"id": noor.id, "name": "Noor"})
    drain()

    assert told("organization.updated") == ["owner@noor.example"]


def test_an_accepted_invitation_is_told_to_who_sent_it(noor):
    admin = make_member(noor, "admin")
    developer = make_member(noor, "developer")
    standing = find_standing(user_id=admin.pk, organization_id=noor.id)
    mei = make_person("mei@noor.example")
    sent = invitations.invite(
        standing=standing,
        email=mei.email,
        role="viewer",
        language="en",
        link=str,
        actor=Actor("user", developer.pk),
    )
    invitations.accept(token=sent.url, user_id=mei.pk, email=mei.email, actor=Actor("user", mei.pk))
    drain()

    assert told("member.joined") == ["admin@noor.example", "developer@noor.example", "owner@noor.example"]
    assert [who for who, what in mailed() if what == "Somebody joined"] == ["developer@noor.example"]
    assert Notification.objects.of(noor.id).filter(event="member.joined").first().about == "mei@noor.example"


def test_whom_it_concerns_is_told_in_person(noor):
    viewer = make_member(noor, "viewer")
    seat = Membership.objects.of(noor.id).get(user=viewer)
    standing = find_standing(user_id=noor.owner.pk, organization_id=noor.id)
    members.change_role(standing=standing, membership=seat, role="developer", actor=Actor("user", noor.owner.pk))
    drain()

    assert told("member.role_changed") == ["viewer@noor.example"]
    assert mailed() == [("viewer@noor.example", "A member has another role")]


def test_a_disabled_webhook_is_told_to_those_who_manage_it(noor):
    make_member(noor, "developer")
    hook = webhooks.create_webhook(organization_id=noor.id, url="https://93.184.216.34/secret", actor=SYSTEM).webhook
    webhooks.give_up(webhook=hook, reason="failing")
    webhooks.give_up(webhook=hook, reason="failing")
    drain()

    assert told("webhook.disabled") == ["owner@noor.example"]
    assert mailed() == [("owner@noor.example", "A webhook was disabled because it kept failing")]
    assert Notification.objects.of(noor.id).get().about == "93.184.216.34"
    assert Webhook.objects.of(noor.id).get().is_enabled is False


def test_told_twice_is_told_once(noor):
    payload = {
        "event_id": "evt_1",
        "event": "organization.updated",
        "data": {"name": "Noor"},
        "organization_id": noor.id,
        "actor_id": "",
    }
    notify_event(payload)
    notify_event(payload)

    assert told("organization.updated") == ["owner@noor.example"]
    assert len(mailed()) == 0


@pytest.mark.parametrize(
    ("chosen", "shown", "mails"),
    [
        ({"in_app": False}, 0, 1),
        ({"email": False}, 1, 0),
        ({"in_app": False, "email": False}, 0, 0),
        ({"in_app": True, "email": True}, 1, 1),
    ],
)
def test_a_person_chooses_how_they_hear(noor, chosen, shown, mails):
    owner = signed_in(noor.owner)
    answer = call(owner, "PATCH", PREFERENCES, {"event": "key.revoked", **chosen})
    now = next(row for row in answer.json()["data"] if row["event"] == "key.revoked")
    assert {"in_app": True, "email": True} | chosen == {"in_app": now["in_app"], "email": now["email"]}
    announce(organization_id=noor.id, event="key.revoked", data={"id": "key_1", "name": "ci"})
    drain()

    assert (len(call(owner, "GET", LIST).json()["data"]), len(mailed())) == (shown, mails)


def test_preferences_are_those_that_concern_the_person(noor):
    viewer = call(signed_in(make_member(noor, "viewer")), "GET", PREFERENCES).json()["data"]
    owner = call(signed_in(noor.owner), "GET", PREFERENCES).json()["data"]

    assert "key.revoked" not in [row["event"] for row in viewer]
    assert {"event": "key.revoked", "title": "An API key was revoked", "in_app": True, "email": True} in owner
    assert {"event": "project.created", "title": "A project was created", "in_app": True, "email": False} in owner
    assert "invitation.sent" not in [row["event"] for row in owner]


def test_a_role_in_a_project_counts_for_its_events(noor):
    guest = make_member(noor, "consumer")
    project = create_project(organization_id=noor.id, name="Other", actor=SYSTEM)
    seat = Membership.objects.of(noor.id).get(user=guest)
    members.set_project_role(membership=seat, project=project, role="developer", actor=SYSTEM)
    for project_id in (project.id, noor.made.project.id):
        data = {"id": "key_1", "name": project_id, "project_id": project_id}
        announce(organization_id=noor.id, event="key.updated", data=data)
    drain()

    found = Notification.objects.of(noor.id).filter(user=guest, event="key.updated")
    assert list(found.values_list("about", flat=True)) == [project.id]


def test_reading_one_and_all(noor):
    owner = signed_in(noor.owner)
    for number in range(3):
        announce(organization_id=noor.id, event="project.created", data={"id": "prj_1", "name": f"P{number}"})
    drain()
    found = call(owner, "GET", LIST).json()["data"]
    assert [(row["about"], row["title"], row["read_at"]) for row in found] == [
        (f"P{number}", "A project was created", None) for number in (2, 1, 0)
    ]
    assert call(owner, "POST", f"{LIST}/{found[0]['id']}/read").json()["read_at"] is not None
    assert count_unread(noor.owner.pk) == 2
    assert len(call(owner, "GET", f"{LIST}?status=unread").json()["data"]) == 2
    assert len(call(owner, "GET", f"{LIST}?status=read").json()["data"]) == 1
    assert call(owner, "POST", f"{LIST}/read-all").json() == {"count": 2}
    assert call(owner, "POST", f"{LIST}/read-all").json() == {"count": 0}
    assert count_unread(noor.owner.pk) == 0


def test_nobody_reads_for_another_and_keys_have_none(noor):
    zahra = make_household("zahra")
    announce(organization_id=noor.id, event="project.created", data={"id": "prj_1", "name": "P"})
    drain()
    row = Notification.objects.of(noor.id).get()

    assert call(signed_in(zahra.owner), "POST", f"{LIST}/{row.id}/read").status_code == 404
    assert signed_in(zahra.owner).get(f"/notifications/{row.id}").status_code == 404
    call(signed_in(zahra.owner), "POST", f"{LIST}/read-all")
    assert call(Client(), "GET", LIST, **noor.bearer).status_code == 403
    assert call(Client(), "PATCH", PREFERENCES, {"event": "key.created"}, **noor.bearer).status_code == 403
    assert Notification.objects.of(noor.id).get().read_at is None


def test_who_left_sees_no_more_of_it(noor):
    viewer = make_member(noor, "admin")
    announce(organization_id=noor.id, event="project.created", data={"id": "prj_1", "name": "P"})
    drain()
    assert count_unread(viewer.pk) == 1
    Membership.objects.of(noor.id).filter(user=viewer).delete()

    assert count_unread(viewer.pk) == 0
    assert call(signed_in(viewer), "GET", LIST).json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"event": "no.such", "email": False},
        {"event": "invitation.sent", "email": False},
        {"event": "\0"},
        {"event": "x" * 1_000_000},
        {"event": "key.created", "email": "perhaps"},
        {"event": None},
        {},
    ],
)
def test_nonsense_is_refused_and_chooses_nothing(noor, body):
    assert call(signed_in(noor.owner), "PATCH", PREFERENCES, body).status_code == 422
    assert not NotificationPreference.objects.exists()


def test_the_bell_counts_on_every_page_and_alone(noor):
    owner = signed_in(noor.owner)
    page = owner.get("/notifications").content.decode()
    assert f'data-live="notifications:{noor.owner.pk}"' in page
    assert '<span class="sr">Notifications</span>' in owner.get("/notifications/bell").content.decode()
    announce(organization_id=noor.id, event="project.created", data={"id": "prj_1", "name": "<b>P</b>"})
    drain()

    assert '<span class="sr">Notifications, 1 unread</span>' in owner.get("/notifications/bell").content.decode()
    page = owner.get("/notifications").content.decode()
    assert "&lt;b&gt;P&lt;/b&gt;" in page
    row = Notification.objects.of(noor.id).get()
    answer = owner.get(f"/notifications/{row.id}")
    assert (answer.status_code, answer["location"]) == (302, "/noor/settings/projects")
    assert count_unread(noor.owner.pk) == 0
    assert Client().get("/notifications/bell").status_code == 302


def test_the_page_of_preferences_keeps_only_what_differs(noor):
    owner = signed_in(noor.owner)
    rows = call(owner, "GET", PREFERENCES).json()["data"]
    boxes = [f"{name}:{row['event']}" for row in rows for name in ("in_app", "email") if row[name]]
    owner.post("/settings/notifications", {"channel": boxes})
    assert not NotificationPreference.objects.exists()
    boxes.remove("email:key.revoked")
    owner.post("/settings/notifications", {"channel": boxes})

    kept = NotificationPreference.objects.get()
    assert (kept.event, kept.in_app, kept.email) == ("key.revoked", None, False)


def test_events_of_a_room_that_is_gone_are_still_listed(noor):
    event = EventType("deployment.failed", "A deployment failed", audience="keys.manage")
    with event_types.plugged("deployment.failed", event):
        announce(organization_id=noor.id, event="deployment.failed", data={"name": "api"})
        drain()
    owner = signed_in(noor.owner)

    assert call(owner, "GET", LIST).json()["data"][0]["title"] == "deployment.failed"
    assert owner.get("/notifications").status_code == 200


def test_old_notifications_are_forgotten(noor):
    for name in ("old", "new"):
        announce(organization_id=noor.id, event="project.created", data={"name": name})
    drain()
    Notification.objects.of(noor.id).filter(about="old").update(created_at=utc_now() - timedelta(days=91))
    forget_old_notifications()

    assert Notification.objects.of(noor.id).get().about == "new"


def test_a_live_room_of_notifications_opens_to_its_person_alone(noor):
    room = next(known for known in live_rooms.collect() if known.kind == "notifications")
    may_join = async_to_sync(room.may_join)

    assert may_join(noor.owner, noor.owner.pk) is True
    assert [may_join(noor.owner, other) for other in ("", "usr_1", noor.owner.pk + " ")] == [False] * 3


def test_every_event_leads_to_a_page_that_exists(noor):
    standing = find_standing(user_id=noor.owner.pk, organization_id=noor.id)
    own = [event for event in event_types.collect() if event.url_name]
    places = {event.key: path_to(event, standing, Thing()) for event in own}

    assert {key for key, path in places.items() if path == "/noor/"} == set()
    assert places["key.created"] == "/noor/settings/keys"
    assert places["organization.deletion_requested"] == f"/organizations/{noor.id}/closing"


def test_who_may_not_see_the_page_is_led_to_the_overview(noor):
    consumer = make_member(noor, "consumer")
    seat = Membership.objects.of(noor.id).get(user=consumer)
    members.set_project_role(membership=seat, project=noor.made.project, role="viewer", actor=SYSTEM)
    drain()
    row = Notification.objects.of(noor.id).get(user=consumer)

    assert signed_in(consumer).get(f"/notifications/{row.id}")["location"] == "/noor/"
    row = Notification.objects.of(noor.id).get(user=noor.owner)
    assert signed_in(noor.owner).get(f"/notifications/{row.id}")["location"] == "/noor/settings/members"


def test_mails_lead_to_the_page_under_the_public_address_or_the_one_in_use(noor, settings):
    admin = signed_in(make_member(noor, "admin"))
    body = {"name": "ci", "scopes": ["gateway"]}
    made = []
    for base_url in ("", "https://ai.noor.example"):
        settings.BASE_URL = base_url
        made.append(call(admin, "POST", f"/api/v1/keys?environment={noor.production.id}", body).json()["id"])
        drain()
    links = [re.findall(r"https?://\S+", letter.text) for letter in promised_letters()]

    assert links == [
        [f"{base}/noor/settings/keys/{key_id}?env=default/production", f"{base}/settings/notifications"]
        for base, key_id in zip(("http://testserver", "https://ai.noor.example"), made, strict=True)
    ]


def test_what_nobody_did_by_a_request_is_mailed_without_links(noor):
    webhooks.give_up(
        webhook=webhooks.create_webhook(organization_id=noor.id, url="https://93.184.216.34/", actor=SYSTEM).webhook,
        reason="gone",
    )
    drain()

    assert [re.findall(r"https?://\S+", letter.text) for letter in promised_letters()] == [[]]


def key_in(noor, name, actor=SYSTEM):
    """In an environment that is not the first one."""
    project = create_project(organization_id=noor.id, name="Mobile app", actor=actor)
    environment = Environment.objects.of(noor.id).get(project=project, slug="development")
    key_id = issue_key(environment=environment, name=name, scopes=["gateway"], actor=actor).key_id
    drain()
    return project, ApiKey.objects.of(noor.id).get(id=key_id)


def link_to(person, event):
    """What the list says, and where the page of it leads."""
    row = next(row for row in call(signed_in(person), "GET", LIST).json()["data"] if row["event"] == event)
    led = signed_in(person).get(f"/notifications/{row['id']}")
    assert (led.status_code, row["url"]) == (302, f"http://testserver{led['location']}")
    return led["location"]


def test_a_notification_leads_to_the_very_thing(noor):
    project, key = key_in(noor, "ci")
    path = link_to(noor.owner, "key.created")

    assert path == f"/noor/settings/keys/{key.id}?env=mobile-app/development"
    assert link_to(noor.owner, "project.created") == f"/noor/settings/projects/{project.id}"
    assert signed_in(noor.owner).get(path).status_code == 200
    assert count_unread(noor.owner.pk) == 0


def test_what_is_gone_leads_to_the_list_of_its_place(noor):
    _, key = key_in(noor, "ci")
    revoke_key(key=key, actor=SYSTEM, at=utc_now())

    assert link_to(noor.owner, "key.created") == "/noor/settings/keys?env=mobile-app/development"
    Project.objects.of(noor.id).get(slug="mobile-app").delete()
    assert link_to(noor.owner, "key.created") == "/noor/"
    assert link_to(noor.owner, "project.created") == "/noor/settings/projects"


def test_a_role_in_one_project_opens_its_things_alone(noor):
    guest = make_member(noor, "consumer")
    project, _ = key_in(noor, "theirs")
    seat = Membership.objects.of(noor.id).get(user=guest)
    members.set_project_role(membership=seat, project=project, role="developer", actor=SYSTEM)
    environment = Environment.objects.of(noor.id).get(project=project, slug="production")
    key = issue_key(environment=environment, name="ours", scopes=["gateway"], actor=SYSTEM)
    drain()
    path = link_to(guest, "key.created")
    members.remove_project_role(held=seat.projects.get(), actor=SYSTEM)

    assert path == f"/noor/settings/keys/{key.key_id}?env=mobile-app/production"
    assert link_to(guest, "key.created") == "/noor/"


def test_an_event_that_names_another_organizations_thing_does_not_lead_there(noor):
    zahra = make_household("zahra")
    drain()
    foreign = {"id": zahra.key.key_id, "name": "theirs", "environment_id": zahra.production.id}
    announce(organization_id=noor.id, event="key.updated", data=foreign)
    announce(organization_id=noor.id, event="project.created", data={"id": zahra.made.project.id, "name": "theirs"})
    drain()

    assert link_to(noor.owner, "key.updated") == "/noor/"
    assert link_to(noor.owner, "project.created") == "/noor/settings/projects"


def test_a_list_of_links_costs_no_query_for_each(noor, django_assert_max_num_queries):
    for number in range(12):
        announce(organization_id=noor.id, event="key.updated", data={"id": f"key_{number}", "name": "x"})
    drain()
    owner = signed_in(noor.owner)
    call(owner, "GET", LIST)
    with django_assert_max_num_queries(12):
        assert len(call(owner, "GET", LIST).json()["data"]) == 12
