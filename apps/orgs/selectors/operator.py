"""What the operator sees of every organization: how it is kept and by whom, never what is in it."""

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.orgs.models import Membership, Organization, PersonalToken, Project
from brokle.ground.tenancy import OrganizationManager

STATES = ("open", "suspended", "closing")


def organizations_of_all() -> QuerySet[Organization]:
    """Of the whole installation, each with `member_count` and `project_count`."""
    return Organization.objects.annotate(member_count=_count(Membership.objects), project_count=_count(Project.objects))


def matching(rows: QuerySet[Organization], text: str) -> QuerySet[Organization]:
    """By name, address, id, or the e-mail of a member; all of them where nothing is asked."""
    found = text.strip()
    if not found:
        return rows
    met = Membership.objects.across_organizations().filter(user__email__icontains=found).values("organization_id")
    by_name = Q(name__icontains=found) | Q(slug__icontains=found) | Q(id=found)
    return rows.filter(by_name | Q(id__in=met))


def in_state(rows: QuerySet[Organization], state: str) -> QuerySet[Organization]:
    if state == "suspended":
        return rows.filter(suspended_at__isnull=False)
    if state == "closing":
        return rows.filter(suspended_at__isnull=True, purge_at__isnull=False)
    return rows.filter(suspended_at__isnull=True, purge_at__isnull=True) if state == "open" else rows


def state_of(organization: Organization) -> str:
    if organization.suspended_at is not None:
        return "suspended"
    return "closing" if organization.purge_at is not None else "open"


def memberships_of_person(user_id: str) -> QuerySet[Membership]:
    rows = Membership.objects.across_organizations().filter(user_id=user_id)
    return rows.select_related("organization").order_by("created_at")


def count_tokens(user_id: str) -> int:
    return PersonalToken.objects.filter(user_id=user_id, revoked_at__isnull=True).count()


def _count(manager: OrganizationManager) -> Coalesce:  # type: ignore[type-arg]
    """Counted for the rows of one page only; a join would count for all of them."""
    rows = manager.across_organizations().filter(organization_id=OuterRef("id")).order_by().values("organization_id")
    return Coalesce(Subquery(rows.annotate(found=Count("pk")).values("found")), 0)
