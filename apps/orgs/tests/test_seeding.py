from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Model

from apps.orgs.models import (
    ApiKey,
    Environment,
    Invitation,
    Membership,
    Notification,
    Organization,
    PersonalToken,
    ProjectMembership,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from apps.orgs.services.seeding import seed_organization
from brokle.edge.principal import digest
from brokle.ground.models import AuditEntry, OutboxEntry, SnapshotChange
from brokle.ground.services import hash_of
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
ROWS: tuple[type[Model], ...] = (
    *(ApiKey, Environment, Invitation, Membership, Notification, Organization, PersonalToken, ProjectMembership),
    *(Webhook, WebhookAttempt, WebhookDelivery, AuditEntry, SnapshotChange),
)


@pytest.fixture
def noor():
    seed_organization("demo")
    return Organization.objects.get(slug="noor-health")


def test_a_second_run_changes_nothing(noor):
    before = [list(rows.objects.order_by("pk").values()) for rows in map(_whole, ROWS)]
    assert seed_organization("demo") == []

    assert [list(rows.objects.order_by("pk").values()) for rows in map(_whole, ROWS)] == before


def _whole(model):
    """Past the guard that asks for an organization."""
    found = type("Whole", (), {})
    found.objects = model._base_manager
    return found


def test_two_runs_tell_the_same_story(noor, settings):
    def story():
        rows = AuditEntry.objects.filter(organization_id__startswith="org_").order_by("at")
        return [(row.action, row.ip, row.at.strftime("%H:%M"), row.request_id[-16:]) for row in rows]

    now, first = utc_now(), story()
    Organization.objects.all().delete()
    AuditEntry.objects.all().delete()
    seed_organization("dev", clock=lambda: now)

    assert [row[0] for row in story()] == [row[0] for row in first]
    assert [row[3] for row in story()] == [row[3] for row in first]


def test_nobody_is_called_mailed_or_notified_by_it(noor):
    assert OutboxEntry.objects.count() == 0


def test_every_role_and_state_is_there_to_be_seen(noor):
    now = utc_now()
    roles = Counter(Membership.objects.of(noor.id).values_list("role", flat=True))
    assert roles == {"owner": 1, "admin": 1, "developer": 2, "viewer": 2, "billing": 1, "consumer": 1}
    assert ProjectMembership.objects.of(noor.id).count() == 2
    assert set(Environment.objects.of(noor.id).values_list("color", flat=True)) == {"ok", "warn", "accent"}
    keys = ApiKey.objects.of(noor.id)
    assert keys.filter(revoked_at__isnull=False).count() == 1
    assert keys.exclude(rotated_to="").filter(expires_at__gt=now).count() == 1
    assert keys.filter(rotated_to="", expires_at__gt=now).count() == 1
    assert keys.filter(expires_at__lt=now).count() == 1
    assert keys.filter(last_used_at=None).count() == 1
    invitations = Invitation.objects.of(noor.id)
    assert invitations.filter(accepted_at__isnull=False).count() == 7
    assert invitations.filter(accepted_at=None, revoked_at=None, expires_at__gt=now).count() == 2
    assert invitations.filter(accepted_at=None, revoked_at=None, expires_at__lt=now).count() == 1
    assert invitations.filter(revoked_at__isnull=False).count() == 1


def test_the_deliveries_show_success_failure_and_the_end(noor):
    deliveries = WebhookDelivery.objects.of(noor.id)
    hooks = {hook.description: hook for hook in Webhook.objects.of(noor.id)}

    def states(name):
        return Counter(deliveries.filter(webhook=hooks[name]).values_list("status", flat=True))

    assert (set(states("Security channel")), states("Partner CRM")["dead"]) == ({"delivered"}, 1)
    assert states("Compliance archive")["pending"] == 4
    assert deliveries.filter(status="pending", next_attempt_at__lte=utc_now()).count() == 0
    assert deliveries.filter(webhook=hooks["Security channel"], attempts=2).exists()
    assert (hooks["Partner CRM"].is_enabled, hooks["Partner CRM"].disabled_reason) == (False, "gone")
    assert (hooks["Compliance archive"].is_enabled, hooks["Compliance archive"].failing_since < utc_now()) == (
        True,
        True,
    )


def test_the_audit_log_tells_of_weeks_in_order_and_its_chain_holds(noor):
    entries = list(AuditEntry.objects.filter(organization_id=noor.id).order_by("sequence"))

    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert (entries[0].action, entries[-1].at - entries[0].at > timedelta(days=30)) == ("organization.created", True)
    assert [entry.hash for entry in entries] == [hash_of(entry) for entry in entries]
    people = [entry for entry in entries if entry.actor_kind == "user"]
    assert len({entry.request_id for entry in people}) == len(people)
    assert all(entry.request_id.startswith("req_") and entry.ip and entry.user_agent for entry in people)


def test_what_is_printed_works(settings):
    made = seed_organization("demo")
    values = [line.rpartition(": ")[2] for line in made if line.startswith("key ")]

    known = [
        ApiKey.objects.across_organizations().get(hash=digest(settings.PEPPER, value.encode())) for value in values
    ]
    assert all(key.revoked_at is None and (key.expires_at is None or key.expires_at > utc_now()) for key in known)
    assert SnapshotChange.objects.filter(object_id__in=[key.hash for key in known]).count() >= len(known)
