"""Every change of an organization's things is written down and told in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from apps.orgs.models import ApiKey, Environment, Invitation, Membership, Organization, Project, Webhook
from brokle.ground.services import Actor, announce, audit

Subject = Organization | Project | Environment | Membership | Invitation | ApiKey

_KINDS: Final[dict[type, str]] = {
    Organization: "organization",
    Project: "project",
    Environment: "environment",
    Membership: "user",
    Invitation: "invitation",
    ApiKey: "key",
    Webhook: "webhook",
}


def record(
    subject: Subject,
    actor: Actor,
    action: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The audit entry, and the event of the same name for webhooks and notifications."""
    note(subject, actor, action, before=before, after=after)
    reason = (after or {}).get("reason", "")
    data = told_of(subject) | ({"note": reason} if reason else {})
    announce(organization_id=_organization_of(subject), event=action, data=data, actor=actor)


def note(
    subject: Subject | Webhook,
    actor: Actor,
    action: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    """The audit entry alone: of what nobody else is told."""
    audit(
        organization_id=_organization_of(subject),
        actor=actor,
        action=action,
        target_kind=_KINDS[type(subject)],
        target_id=subject.user_id if isinstance(subject, Membership) else subject.id,
        before=before,
        after=after,
        at=at,
    )


def _organization_of(subject: Subject | Webhook) -> str:
    return subject.id if isinstance(subject, Organization) else subject.organization_id


def told_of(subject: Subject) -> dict[str, Any]:
    """What its events say to webhooks and notifications."""
    match subject:
        case Membership():
            return {"user_id": subject.user_id, "role": subject.role}
        case Invitation():
            return {name: getattr(subject, name) for name in ("id", "email", "role", "invited_by")}
        case Environment():
            return {"id": subject.id, "name": subject.name, "project_id": subject.project_id}
        case ApiKey():
            places = {"project_id": subject.project_id, "environment_id": subject.environment_id}
            return {"id": subject.id, "name": subject.name, **places}
        case _:
            return {"id": subject.id, "name": subject.name}
