"""Who may do what: rooms declare permissions and the roles that include them; one policy answers every question."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from brokle.kernel.extensions import Collector, Policy

OWNER, ADMIN, DEVELOPER = "owner", "admin", "developer"
VIEWER, BILLING, CONSUMER = "viewer", "billing", "consumer"
ROLES = (OWNER, ADMIN, DEVELOPER, VIEWER, BILLING, CONSUMER)

MANAGERS = frozenset({OWNER, ADMIN})
MAKERS = MANAGERS | {DEVELOPER}
READERS = MAKERS | {VIEWER}
EVERYONE = frozenset(ROLES)


@dataclass(frozen=True, slots=True)
class Permission:
    """`roles` include it by default. `is_for_keys`: an API key with the scope `admin` may do it in its own project."""

    key: str
    title: str
    roles: frozenset[str]
    is_for_keys: bool = False


@dataclass(frozen=True, slots=True)
class AccessQuestion:
    """May somebody with these roles do this? They are those that count here: the organization's and the project's."""

    permission: str
    roles: frozenset[str]
    user_id: str
    organization_id: str
    project_id: str = ""


permissions = Collector("permissions", Permission, "What can be allowed or refused, and to whom it is by default.")


def declare(*declared: Permission) -> None:
    for permission in declared:
        permissions.register(permission.key, permission)
    find_permission.cache_clear()


@lru_cache(maxsize=512)
def find_permission(key: str) -> Permission | None:
    return next((permission for permission in permissions.collect() if permission.key == key), None)


def by_fixed_roles(question: AccessQuestion) -> bool:
    """What nobody declared is refused."""
    permission = find_permission(question.permission)
    return permission is not None and not permission.roles.isdisjoint(question.roles)


AccessPolicy = Callable[[AccessQuestion], bool]
access_policy: Policy[AccessPolicy] = Policy(
    "access_policy", by_fixed_roles, "Decides whether a person may do something; fixed roles unless replaced."
)
