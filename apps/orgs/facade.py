"""What other rooms may ask of organizations."""

from collections.abc import Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from apps.orgs.contracts import EnvironmentRef, KeyBudget, KeyPlace, ProjectRef, Standing
from apps.orgs.selectors import access, keys, organizations, projects
from apps.orgs.services import first_start
from brokle.kernel.clock import utc_now


def access_organization(request: HttpRequest, *, organization_slug: str) -> Standing:
    """Who this person is in the organization they look at, or 404; the shell then shows where one is."""
    return access.access_organization(request, slug=organization_slug)


def access_environment(request: HttpRequest, *, organization_slug: str, permission: str) -> EnvironmentRef:
    """The environment this person looks at, or 404; 403 where their role does not include the permission."""
    return access.access_environment(request, organization_slug=organization_slug, permission=permission)


def access_place(request: HttpRequest, *, organization_slug: str, permission: str) -> tuple[Standing, EnvironmentRef]:
    """As `access_environment`, and who the person is there."""
    return access.access_place(request, slug=organization_slug, permission=permission)


def standing_of_call(request: Any, *, organization_id: str) -> Standing:
    """Who calls the management API about this organization, or 404."""
    return access.standing_of_call(request, organization_id=organization_id)


def place_of_call(request: Any, permission: str) -> EnvironmentRef:
    """The environment that a call of the management API is about, or 404; 403 without the permission."""
    return access.place_of_call(request, permission)


async def may_watch_environment(user_id: str, environment_id: str, permission: str) -> bool:
    """For `/ws` rooms of an environment."""
    return await sync_to_async(_may_watch)(user_id, environment_id, permission)


def _may_watch(user_id: str, environment_id: str, permission: str) -> bool:
    organization_id = projects.find_organization_of_member(user_id=user_id, environment_id=environment_id)
    standing = organizations.find_standing(user_id=user_id, organization_id=organization_id or "-")
    if standing is None:
        return False
    place = projects.find_environment(standing, environment_id=environment_id)
    return place is not None and standing.may(permission, place.project_id)


def list_key_names(*, organization_id: str, key_ids: list[str]) -> dict[str, str]:
    """Names by id of keys, and of members who call from the console; ids of others are simply not there."""
    return keys.list_key_names(organization_id=organization_id, key_ids=key_ids)


def list_key_budgets() -> Iterator[KeyBudget]:
    """Those of all keys that hold, of the whole installation; for who counts them."""
    yield from keys.list_key_budgets(now=utc_now())


def ensure_default_project() -> ProjectRef:
    """Where the configuration file works: the project `default` of the organization `default`, made when missing."""
    return first_start.ensure_default_project()


def find_default_project() -> ProjectRef | None:
    """As `ensure_default_project`, without making one."""
    return first_start.find_default_project()


def list_project_ids(*, organization_id: str) -> list[str]:
    """All projects of an organization."""
    return projects.list_project_ids(organization_id=organization_id)


def list_projects_everywhere() -> Iterator[tuple[str, str]]:
    """Organization and project, all of the installation; for compilers of the snapshot."""
    yield from projects.list_projects_everywhere()


def find_organization_of_project(*, project_id: str) -> str | None:
    """Whose project this is; for compilers of the snapshot."""
    return projects.find_organization_of_project(project_id=project_id)


def find_project_of_environment(*, organization_id: str, environment_id: str) -> str | None:
    """The project of an environment, if the organization has it."""
    return projects.find_project_of_environment(organization_id=organization_id, environment_id=environment_id)


def find_organization_by_slug(*, slug: str) -> str | None:
    """Its id; for commands of the operator."""
    return organizations.find_organization_by_slug(slug=slug)


def list_key_places(*, organization_id: str) -> list[KeyPlace]:
    """Where the organization's keys stand; for whoever seeds data of theirs."""
    return keys.list_key_places(organization_id=organization_id)
