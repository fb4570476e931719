"""The operator closes an organization for a reason, and opens it again."""

from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import Membership, Organization
from apps.orgs.services.organizations import lock, touch_keys
from apps.orgs.services.records import record
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, Invalid
from brokle.web.live.publish import recheck_sockets

REASON_LONGEST: Final = 300


@transaction.atomic
def suspend_organization(*, organization_id: str, reason: str, actor: Actor, clock: Clock = utc_now) -> Organization:
    """Its keys stop within a second; its members are told why wherever they knock."""
    organization = lock(organization_id)
    if organization.suspended_at is not None:
        raise Conflict(_("This organization is suspended already."))
    if not reason.strip():
        raise Invalid(_("Say why; its members read the reason."), field="reason")
    organization.suspended_at, organization.suspension_reason = clock(), reason.strip()[:REASON_LONGEST]
    _save(organization)
    record(organization, actor, "organization.suspended", after={"reason": organization.suspension_reason})
    return organization


@transaction.atomic
def resume_organization(*, organization_id: str, actor: Actor) -> Organization:
    organization = lock(organization_id)
    if organization.suspended_at is None:
        raise Conflict(_("This organization is not suspended."))
    before = {"reason": organization.suspension_reason}
    organization.suspended_at, organization.suspension_reason = None, ""
    _save(organization)
    record(organization, actor, "organization.resumed", before=before)
    return organization


def _save(organization: Organization) -> None:
    organization.save(update_fields=["suspended_at", "suspension_reason"])
    touch_keys(organization.id)
    for user_id in Membership.objects.of(organization.id).values_list("user_id", flat=True):
        recheck_sockets(user_id=user_id)
