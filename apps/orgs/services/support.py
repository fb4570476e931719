"""Support access: an operator inside an organization for an hour, with a reason that its owners read."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import Membership, SupportAccess, SupportLevel
from apps.orgs.services.organizations import lock
from brokle.ground.services import SYSTEM, Actor, announce, audit
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, Invalid
from brokle.web.live.publish import recheck_sockets

LASTS: Final = timedelta(hours=1)
REASON_LONGEST: Final = 300


@transaction.atomic
def begin_support(
    *, organization_id: str, user_id: str, reason: str, actor: Actor, level: str = "look", clock: Clock = utc_now
) -> SupportAccess:
    """Looking is a viewer's standing, helping an administrator's; nobody becomes an owner by it."""
    organization, now = lock(organization_id), clock()
    if level not in SupportLevel.values:
        raise Invalid(_("Choose to look or to help."), field="level")
    if not reason.strip():
        raise Invalid(_("Say why; its owners read the reason."), field="reason")
    if not organization.is_open:
        raise Conflict(_("Nobody can work in this organization now, so neither can support."))
    if Membership.objects.of(organization_id).filter(user_id=user_id).exists():
        raise Conflict(_("You are a member of this organization; your own role counts."))
    for left in SupportAccess.objects.of(organization_id).filter(user_id=user_id, ended_at=None):
        if left.expires_at > now:
            raise Conflict(_("You have support access here already; end it first."))
        _end(left, SYSTEM, left.expires_at)
    access = SupportAccess.objects.create(
        organization=organization,
        user_id=user_id,
        level=level,
        reason=reason.strip()[:REASON_LONGEST],
        started_at=now,
        expires_at=now + LASTS,
    )
    _record(access, actor, "support_access.started", after=_facts(access))
    return access


@transaction.atomic
def end_support(*, access: SupportAccess, actor: Actor, clock: Clock = utc_now) -> SupportAccess:
    """Before its time: within a second nothing more is answered or told."""
    lock(access.organization_id)
    access = SupportAccess.objects.of(access.organization_id).get(id=access.id)
    if access.ended_at is not None or access.expires_at <= clock():
        raise Conflict(_("This support access is over already."))
    _end(access, actor, clock())
    return access


def note_ended(*, clock: Clock = utc_now) -> int:
    """Writes down that some ended by their time. Nobody waits for it: they counted no longer anyway."""
    over = SupportAccess.objects.across_organizations().filter(ended_at=None, expires_at__lte=clock())
    return sum(_note_ended(access) for access in over)


@transaction.atomic
def _note_ended(access: SupportAccess) -> int:
    lock(access.organization_id)
    left = SupportAccess.objects.of(access.organization_id).filter(id=access.id, ended_at=None).first()
    if left is None:
        return 0
    _end(left, SYSTEM, left.expires_at)
    return 1


def _end(access: SupportAccess, actor: Actor, at: datetime) -> None:
    access.ended_at = at
    access.save(update_fields=["ended_at"])
    _record(
        access,
        actor,
        "support_access.ended",
        before=_facts(access),
        after={"ended_at": at.isoformat(timespec="seconds")},
    )
    recheck_sockets(user_id=access.user_id)


def _facts(access: SupportAccess) -> dict[str, Any]:
    return {
        "user_id": access.user_id,
        "level": access.level,
        "reason": access.reason,
        "until": access.expires_at.isoformat(timespec="seconds"),
    }


def _record(
    access: SupportAccess,
    actor: Actor,
    action: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit(
        organization_id=access.organization_id,
        actor=actor,
        action=action,
        target_kind="support_access",
        target_id=access.id,
        before=before,
        after=after,
    )
    data = {"id": access.id, "user_id": access.user_id, "level": access.level, "note": access.reason}
    announce(organization_id=access.organization_id, event=action, data=data, actor=actor)
