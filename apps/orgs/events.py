"""What happens in an organization and others may be told of."""

from collections.abc import Mapping
from typing import Final

from brokle.kernel.extensions import EventType, event_types
from brokle.kernel.words import gettext_noop

_MANAGERS, _MAKERS, _HOOKS = "members.manage", "keys.manage", "webhooks.manage"
_OWNERS = "organization.delete"

# Where each leads, and what those pages ask for.
_Page = Mapping[str, str]
_GENERAL: Final[_Page] = {"url_name": "settings"}
_CLOSING: Final[_Page] = {"url_name": "organization-closing", "needs": "organization.delete"}
_TEAM: Final[_Page] = {"url_name": "settings-members", "needs": "members.read"}
_PROJECTS: Final[_Page] = {"url_name": "settings-projects"}
_KEYS: Final[_Page] = {"url_name": "settings-keys", "needs": "keys.read"}
_PROJECT: Final[_Page] = {**_PROJECTS, "item": "settings-project", "item_needs": "projects.manage"}
_ENVIRONMENT: Final[_Page] = {**_PROJECTS, "item": "settings-environment", "item_needs": "projects.manage"}
_KEY: Final[_Page] = {**_KEYS, "item": "settings-key", "item_needs": "keys.manage"}
_AUDIT: Final[_Page] = {"url_name": "settings-audit", "needs": "audit.read"}
_WEBHOOK: Final[_Page] = {
    "url_name": "webhooks",
    "needs": "webhooks.read",
    "item": "webhook",
    "item_needs": "webhooks.read",
}

_EVENTS = (
    EventType("organization.updated", gettext_noop("The organization was renamed"), _MANAGERS, **_GENERAL),
    EventType(
        "organization.transferred", gettext_noop("The organization has a new owner"), _MANAGERS, _MANAGERS, **_TEAM
    ),
    EventType(
        "organization.deletion_requested",
        gettext_noop("The organization is going to be deleted"),
        _MANAGERS,
        _MANAGERS,
        **_CLOSING,
    ),
    EventType(
        "organization.restored", gettext_noop("The organization will not be deleted"), _MANAGERS, _MANAGERS, **_GENERAL
    ),
    EventType("organization.suspended", gettext_noop("The organization was suspended"), _MANAGERS, _MANAGERS),
    EventType(
        "organization.limits_changed", gettext_noop("The plan or its limits were changed"), _MANAGERS, **_GENERAL
    ),
    EventType("support_access.started", gettext_noop("Support entered the organization"), _MANAGERS, _OWNERS, **_AUDIT),
    EventType("support_access.ended", gettext_noop("Support left the organization"), _MANAGERS, **_AUDIT),
    EventType(
        "organization.resumed",
        gettext_noop("The organization is no longer suspended"),
        _MANAGERS,
        _MANAGERS,
        **_GENERAL,
    ),
    EventType("member.joined", gettext_noop("Somebody joined"), _MANAGERS, person="invited_by", **_TEAM),
    EventType("member.role_changed", gettext_noop("A member has another role"), _MANAGERS, person="user_id", **_TEAM),
    EventType(
        "member.project_role_set",
        gettext_noop("A member has a role in a project"),
        _MANAGERS,
        person="user_id",
        **_TEAM,
    ),
    EventType(
        "member.project_role_removed",
        gettext_noop("A member lost a role in a project"),
        _MANAGERS,
        person="user_id",
        **_TEAM,
    ),
    EventType("member.left", gettext_noop("A member left"), _MANAGERS, **_TEAM),
    EventType("member.removed", gettext_noop("A member was removed"), _MANAGERS, **_TEAM),
    EventType("invitation.sent", gettext_noop("Somebody was invited"), **_TEAM),
    EventType("invitation.sent_again", gettext_noop("An invitation was sent again"), **_TEAM),
    EventType("invitation.revoked", gettext_noop("An invitation was taken back"), **_TEAM),
    EventType("project.created", gettext_noop("A project was created"), "projects.manage", **_PROJECT),
    EventType("project.updated", gettext_noop("A project was changed"), **_PROJECT),
    EventType("project.deleted", gettext_noop("A project was deleted"), "projects.manage", **_PROJECTS),
    EventType("environment.created", gettext_noop("An environment was created"), **_ENVIRONMENT),
    EventType("environment.updated", gettext_noop("An environment was changed"), **_ENVIRONMENT),
    EventType("environment.deleted", gettext_noop("An environment was deleted"), "projects.manage", **_PROJECTS),
    EventType("key.created", gettext_noop("An API key was created"), _MAKERS, _MANAGERS, **_KEY),
    EventType("key.updated", gettext_noop("An API key was changed"), _MAKERS, **_KEY),
    EventType("key.rotated", gettext_noop("An API key was rotated"), _MAKERS, **_KEY),
    EventType("key.revoked", gettext_noop("An API key was revoked"), _MAKERS, _MANAGERS, **_KEYS),
    EventType(
        "webhook.disabled",
        gettext_noop("A webhook was disabled because it kept failing"),
        _HOOKS,
        _HOOKS,
        **_WEBHOOK,
    ),
)


def declare_events() -> None:
    for event in _EVENTS:
        event_types.register(event.key, event)
