"""Organizations as somebody may see them."""

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from apps.orgs.contracts import OrganizationRef, Standing
from apps.orgs.models import Membership, Organization, SupportAccess
from apps.orgs.selectors import support
from brokle.edge.principal import Principal
from brokle.kernel.clock import Clock, utc_now


def organization_ref(organization: Organization) -> OrganizationRef:
    return OrganizationRef(organization.id, organization.name, organization.slug, organization.plan)


def organizations_of_person(*, user_id: str, clock: Clock = utc_now) -> QuerySet[Organization]:
    """Also those being deleted, so that an owner can call it off; not those the operator suspended."""
    own = Membership.objects.across_organizations().filter(user_id=user_id)
    supported = support.running_of(user_id, now=clock())
    here = Q(id__in=own.values("organization_id")) | Q(id__in=supported.values("organization_id"))
    return Organization.objects.filter(here, suspended_at__isnull=True)


def organizations_of_key(*, organization_id: str) -> QuerySet[Organization]:
    return Organization.objects.filter(id=organization_id, suspended_at__isnull=True, purge_at__isnull=True)


def list_organizations_of(*, user_id: str) -> list[OrganizationRef]:
    """One's own first, oldest membership foremost."""
    own = Membership.objects.across_organizations().filter(user_id=user_id, organization_id=OuterRef("id"))
    rows = organizations_of_person(user_id=user_id).filter(purge_at__isnull=True)
    joined_at = Subquery(own.values("created_at")[:1])
    ordered = rows.annotate(joined_at=joined_at).order_by(F("joined_at").asc(nulls_last=True), "id")
    return [organization_ref(organization) for organization in ordered]


def find_standing(
    *, user_id: str, organization_id: str = "", slug: str = "", clock: Clock = utc_now
) -> Standing | None:
    """By id or by slug; None where one is no member, nor the operator with support access, and for no word at all."""
    if not (organization_id or slug).isprintable():
        return None
    place = _place(organization_id, slug)
    memberships = Membership.objects.across_organizations().filter(
        user_id=user_id, organization__suspended_at__isnull=True, organization__purge_at__isnull=True, **place
    )
    return _standing(memberships) or _standing_of_support(support.running_of(user_id, now=clock()).filter(**place))


def suspended_organizations_of(*, user_id: str) -> QuerySet[Organization]:
    """Those whose member this is, and which nobody but the operator can open again."""
    own = Membership.objects.across_organizations().filter(user_id=user_id)
    return Organization.objects.filter(id__in=own.values("organization_id"), suspended_at__isnull=False)


def find_standing_in_grace(*, user_id: str, organization_id: str) -> Standing | None:
    """In an organization that is being deleted."""
    memberships = Membership.objects.across_organizations().filter(
        user_id=user_id, organization_id=organization_id, organization__suspended_at__isnull=True
    )
    return _standing(memberships)


def find_standing_of_key(principal: Principal, *, organization_id: str) -> Standing | None:
    if principal.organization_id != organization_id:
        return None
    organization = organizations_of_key(organization_id=organization_id).first()
    return Standing(organization_ref(organization), key=principal) if organization else None


def _place(organization_id: str, slug: str) -> dict[str, str]:
    return {"organization_id": organization_id} if organization_id else {"organization__slug__iexact": slug}


def _standing_of_support(accesses: QuerySet[SupportAccess]) -> Standing | None:
    access = accesses.first()
    if access is None:
        return None
    return Standing(organization_ref(access.organization), user_id=access.user_id, role=access.role, is_support=True)


def _standing(memberships: QuerySet[Membership]) -> Standing | None:
    membership = memberships.select_related("organization").prefetch_related("projects").first()
    return standing_of(membership) if membership else None


def standing_of(membership: Membership) -> Standing:
    """Select its organization and projects beforehand."""
    return Standing(
        organization_ref(membership.organization),
        user_id=membership.user_id,
        membership_id=membership.id,
        role=membership.role,
        project_roles={project.project_id: project.role for project in membership.projects.all()},
    )


def find_organization_by_slug(*, slug: str) -> str | None:
    return Organization.objects.filter(slug=slug).values_list("id", flat=True).first()
