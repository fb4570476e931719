"""Projects and environments. Whose is always an argument; a standing brings what its holder may see."""

from collections.abc import Iterator

from django.db.models import Q, QuerySet

from apps.orgs.contracts import EnvironmentRef, OrganizationRef, Standing
from apps.orgs.models import Environment, Membership, Project
from apps.orgs.selectors import support
from apps.orgs.selectors.organizations import organization_ref
from brokle.kernel.clock import Clock, utc_now


def projects_for(standing: Standing) -> QuerySet[Project]:
    rows = Project.objects.of(standing.organization.id)
    visible = standing.project_ids("projects.read")
    return rows if visible is None else rows.filter(id__in=visible)


def environments_for(standing: Standing) -> QuerySet[Environment]:
    rows = Environment.objects.of(standing.organization.id)
    visible = standing.project_ids("projects.read")
    return rows if visible is None else rows.filter(project_id__in=visible)


def list_environments(standing: Standing) -> list[EnvironmentRef]:
    rows = environments_for(standing).select_related("project")
    ordered = rows.order_by("project__created_at", "-is_live", "created_at")
    return [environment_ref(environment, standing.organization) for environment in ordered]


def find_environment_of_key(*, organization_id: str, environment_id: str) -> EnvironmentRef | None:
    rows = Environment.objects.of(organization_id).filter(id=environment_id)
    return _in_open_organization(rows)


def find_organization_of_member(
    *, user_id: str, environment_id: str = "", project_id: str = "", clock: Clock = utc_now
) -> str | None:
    """Whose this is, if the person is a member or support there; what they may see is the standing's to say."""
    memberships = Membership.objects.across_organizations().filter(user_id=user_id)
    supported = support.running_of(user_id, now=clock())
    if environment_id:
        rows = Environment.objects.across_organizations().filter(id=environment_id)
    else:
        rows = Project.objects.across_organizations().filter(id=project_id)
    own = Q(organization_id__in=memberships.values("organization_id"))
    here = own | Q(organization_id__in=supported.values("organization_id"))
    return rows.filter(here).values_list("organization_id", flat=True).first()


def find_environment(standing: Standing, *, environment_id: str) -> EnvironmentRef | None:
    return _in_open_organization(environments_for(standing).filter(id=environment_id))


def get_environment(place: EnvironmentRef) -> Environment:
    return Environment.objects.of(place.organization.id).get(id=place.environment_id)


def environment_ref(environment: Environment, organization: OrganizationRef) -> EnvironmentRef:
    return EnvironmentRef(
        organization=organization,
        project_id=environment.project_id,
        project_name=environment.project.name,
        project_slug=environment.project.slug,
        environment_id=environment.id,
        environment_name=environment.name,
        environment_slug=environment.slug,
        color=environment.color,
        is_live=environment.is_live,
    )


def _in_open_organization(rows: QuerySet[Environment]) -> EnvironmentRef | None:
    found = (
        rows.filter(organization__suspended_at__isnull=True, organization__purge_at__isnull=True)
        .select_related("project", "organization")
        .first()
    )
    return environment_ref(found, organization_ref(found.organization)) if found else None


def list_project_ids(*, organization_id: str) -> list[str]:
    return list(Project.objects.of(organization_id).values_list("id", flat=True))


def list_projects_everywhere() -> Iterator[tuple[str, str]]:
    """Organization and project; for compilers of the snapshot."""
    rows = Project.objects.across_organizations().values_list("organization_id", "id")
    yield from rows.iterator(chunk_size=2000)


def find_organization_of_project(*, project_id: str) -> str | None:
    rows = Project.objects.across_organizations().filter(id=project_id)
    return rows.values_list("organization_id", flat=True).first()


def find_project_of_environment(*, organization_id: str, environment_id: str) -> str | None:
    rows = Environment.objects.of(organization_id).filter(id=environment_id)
    return rows.values_list("project_id", flat=True).first()
