"""People of an organization and those invited."""

from datetime import datetime

from django.db.models import QuerySet

from apps.orgs.models import Invitation, Membership, ProjectMembership
from brokle.kernel.tokens import token_hash


def members_of(organization_id: str) -> QuerySet[Membership]:
    return Membership.objects.of(organization_id).select_related("user")


def project_members_of(organization_id: str, *, project_id: str) -> QuerySet[ProjectMembership]:
    rows = ProjectMembership.objects.of(organization_id).filter(project_id=project_id)
    return rows.select_related("membership__user")


def invitations_of(organization_id: str) -> QuerySet[Invitation]:
    return Invitation.objects.of(organization_id)


def find_invitation(token: str) -> Invitation | None:
    """Whoever holds the token was meant to; its organization is read from it."""
    rows = Invitation.objects.across_organizations().select_related("organization")
    return rows.filter(token_hash=token_hash(token)).first()


def find_open_invitation(token: str, *, now: datetime) -> Invitation | None:
    """None also once accepted, revoked or past its time, and in organizations that are closed."""
    found = find_invitation(token)
    if found is None or found.accepted_at or found.revoked_at or found.expires_at <= now:
        return None
    return found if found.organization.is_open else None
