from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from brokle.edge.principal import Principal
from brokle.kernel.access import AccessQuestion, access_policy, find_permission
from brokle.kernel.errors import Forbidden


@dataclass(frozen=True, slots=True)
class OrganizationRef:
    id: str
    name: str
    slug: str
    plan: str


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """Where a person stands: organization, project and environment in one."""

    organization: OrganizationRef
    project_id: str
    project_name: str
    project_slug: str
    environment_id: str
    environment_name: str
    environment_slug: str
    color: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class ProjectRef:
    organization_id: str
    project_id: str


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """A key that holds, and where."""

    key_id: str
    project_id: str
    project_slug: str
    environment_id: str
    environment_slug: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """What a key that holds may spend in a window, in millionths of a dollar."""

    organization_id: str
    project_id: str
    environment_id: str
    key_id: str
    name: str
    usd_micros: int
    window: str
    since: datetime


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The only moment a key is seen whole."""

    key_id: str
    name: str
    value: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody in an organization, a person by roles or a key by its place. The one place where access is asked.

    `is_support`: no member, but the operator while support access lasts.
    """

    organization: OrganizationRef
    user_id: str = ""
    membership_id: str = ""
    role: str = ""
    project_roles: Mapping[str, str] = field(default_factory=dict)
    key: Principal | None = None
    is_support: bool = False

    def may(self, permission: str, project_id: str = "") -> bool:
        if self.key is not None:
            found = find_permission(permission)
            return found is not None and found.is_for_keys and project_id in {"", self.key.project_id}
        roles = frozenset(filter(None, (self.role, self.project_roles.get(project_id, ""))))
        question = AccessQuestion(permission, roles, self.user_id, self.organization.id, project_id)
        return access_policy.choose(self.organization.id)(question)

    def demand(self, permission: str, project_id: str = "") -> None:
        if self.may(permission, project_id):
            return
        if self.key is not None:
            raise Forbidden("API keys cannot do this; sign in, or use a personal access token")
        raise Forbidden(f"Your role here does not include `{permission}`; ask an owner or administrator")

    def project_ids(self, permission: str) -> frozenset[str] | None:
        """The projects where it is allowed; None means all."""
        if self.key is not None:
            return frozenset({self.key.project_id}) if self.may(permission, self.key.project_id) else frozenset()
        if self.may(permission):
            return None
        return frozenset(project_id for project_id in self.project_roles if self.may(permission, project_id))
