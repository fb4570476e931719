"""Who may stand where. Another organization's address answers like one that does not exist."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import gettext_noop

from apps.orgs.contracts import EnvironmentRef, OrganizationRef, Standing
from apps.orgs.selectors import organizations, projects
from brokle.edge.principal import Principal
from brokle.kernel.errors import BadRequest, BrokleError, NotFound, OrganizationSuspended
from brokle.web.links import absolute_url
from brokle.web.workspace import Choice, Workspace

PLAN_TITLES = {
    "free": gettext_noop("Free plan"),
    "pro": gettext_noop("Pro plan"),
    "business": gettext_noop("Business plan"),
    "enterprise": gettext_noop("Enterprise plan"),
}

_LAST = "last_organization"


def access_organization(request: HttpRequest, *, slug: str) -> Standing:
    """The organization a person looks at, or 404; the shell then shows it."""
    standing = _standing_of(request, slug)
    _show(request, standing, None, [])
    return standing


def access_environment(request: HttpRequest, *, organization_slug: str, permission: str) -> EnvironmentRef:
    """The environment a person looks at (`?env=project/environment`, else the first live one), or 404."""
    return access_place(request, slug=organization_slug, permission=permission)[1]


def access_place(request: HttpRequest, *, slug: str, permission: str) -> tuple[Standing, EnvironmentRef]:
    """As `access_environment`, and who the person is there."""
    standing = _standing_of(request, slug)
    environments = projects.list_environments(standing)
    wanted = request.GET.get("env", "")
    chosen = next((e for e in environments if f"{e.project_slug}/{e.environment_slug}" == wanted), None)
    if not environments or (wanted and chosen is None):
        raise Http404
    environment = chosen or environments[0]
    standing.demand(permission, environment.project_id)
    _show(request, standing, environment, environments)
    return standing, environment


def _standing_of(request: HttpRequest, slug: str) -> Standing:
    standing = organizations.find_standing(user_id=str(request.user.pk), slug=slug)
    if standing is None:
        raise refusal(request, slug=slug)
    _mark_support(request, standing)
    return standing


def _show(
    request: HttpRequest, standing: Standing, environment: EnvironmentRef | None, others: list[EnvironmentRef]
) -> None:
    request.workspace = _workspace(standing, environment, others)  # type: ignore[attr-defined]
    if request.session.get(_LAST) != standing.organization.id:
        request.session[_LAST] = standing.organization.id


def home_organization(request: HttpRequest) -> OrganizationRef | None:
    """Where the person was last in this session, else the first they joined."""
    own = organizations.list_organizations_of(user_id=str(request.user.pk))
    last = request.session.get(_LAST)
    return next((one for one in own if one.id == last), own[0] if own else None)


def home_workspace(request: HttpRequest) -> Workspace | None:
    """For the sidebar of pages that belong to a person alone."""
    home = home_organization(request)
    standing = organizations.find_standing(user_id=str(request.user.pk), organization_id=home.id) if home else None
    return _workspace(standing, None, []) if standing else None


def _workspace(standing: Standing, environment: EnvironmentRef | None, others: list[EnvironmentRef]) -> Workspace:
    organization = standing.organization
    return Workspace(
        organization=organization.name,
        plan=PLAN_TITLES.get(organization.plan, organization.plan),
        environment=environment.environment_name if environment else "",
        environment_tone="ok" if environment is None or environment.is_live else "warn",
        choices=[
            Choice(o.name, PLAN_TITLES.get(o.plan, o.plan), f"/{o.slug}/", active=o.id == organization.id)
            for o in organizations.list_organizations_of(user_id=standing.user_id)
        ],
        environments=[
            Choice(
                e.environment_name,
                e.project_name,
                f"?env={e.project_slug}/{e.environment_slug}",
                active=environment is not None and e.environment_id == environment.environment_id,
            )
            for e in others
        ],
        organization_id=organization.id,
        url_kwargs={"organization": organization.slug},
        may=lambda permission: standing.may(permission, environment.project_id if environment else ""),
    )


def link_of(request: Any) -> Callable[[str], str]:
    """How the address of an invitation is made from its token."""
    return lambda token: absolute_url(f"/invitations/{token}", request)


def standing_of_call(request: Any, *, organization_id: str) -> Standing:
    """Who calls the management API about this organization, or 404."""
    if isinstance(request.auth, Principal):
        standing = organizations.find_standing_of_key(request.auth, organization_id=organization_id)
    else:
        standing = organizations.find_standing(user_id=str(request.user.pk), organization_id=organization_id)
    if standing is None:
        raise refusal(request, organization_id=organization_id)
    _mark_support(request, standing)
    return standing


def refusal(request: Any, *, organization_id: str = "", slug: str = "") -> BrokleError:
    """To its members a suspended organization says why; for everybody else there is nothing."""
    if isinstance(getattr(request, "auth", None), Principal):
        return NotFound()
    rows = organizations.suspended_organizations_of(user_id=str(request.user.pk))
    found = rows.filter(id=organization_id) if organization_id else rows.filter(slug__iexact=slug)
    suspended = found.first()
    return OrganizationSuspended(suspended.suspension_reason) if suspended else NotFound()


def _mark_support(request: Any, standing: Standing) -> None:
    """What is done from here on stands in the log as the operator's."""
    if standing.is_support:
        getattr(request, "_request", request).is_support = True


def standing_at(request: Any, *, project_id: str = "", environment_id: str = "") -> Standing:
    """As `standing_of_call`, for addresses that name a project or an environment alone."""
    if isinstance(request.auth, Principal):
        return standing_of_call(request, organization_id=request.auth.organization_id)
    organization_id = projects.find_organization_of_member(
        user_id=str(request.user.pk), project_id=project_id, environment_id=environment_id
    )
    if organization_id is None:
        raise NotFound
    return standing_of_call(request, organization_id=organization_id)


def place_of_call(request: Any, permission: str) -> EnvironmentRef:
    """Where a call of the management API stands: a key in its own environment, a person where `?environment=` says."""
    asked = request.query_params.get("environment", "")
    if isinstance(request.auth, Principal):
        auth = request.auth
        if asked not in {"", auth.environment_id}:
            raise NotFound
        asked = auth.environment_id
    elif not asked:
        raise BadRequest("Say which environment: `?environment=env_…`", field="environment")
    elif not asked.isprintable() or len(asked) > 40:
        raise NotFound
    standing = standing_at(request, environment_id=asked)
    place = projects.find_environment(standing, environment_id=asked)
    if place is None:
        raise NotFound
    standing.demand(permission, place.project_id)
    return place
