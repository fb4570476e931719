"""Who alone owns an organization: it must not lose its last owner, unless it is going itself."""

from django.db.models import Count, Q
from django.utils.translation import gettext

from apps.orgs.models import Membership, Organization, Role
from brokle.web.formatting import sentence


def list_organizations_owned_alone(*, user_id: str) -> list[Organization]:
    owned = Membership.objects.across_organizations().filter(user_id=user_id, role=Role.OWNER).values("organization_id")
    owners = Count("memberships", filter=Q(memberships__role=Role.OWNER))
    staying = Organization.objects.filter(id__in=owned, purge_at__isnull=True)
    return list(staying.annotate(owners=owners).filter(owners=1).order_by("name"))


def find_obstacle_to_leaving(user_id: str) -> str | None:
    """For `account_deletion_checks`."""
    names = ", ".join(one.name for one in list_organizations_owned_alone(user_id=user_id))
    if not names:
        return None
    text = gettext(
        "You are the last owner of %(names)s. Make somebody else an owner, or delete the organization first."
    )
    return sentence(text, names=names)
