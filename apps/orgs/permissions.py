"""What can be done in an organization, and which roles include it."""

from django.utils.translation import gettext_noop

from brokle.kernel.access import EVERYONE, MAKERS, MANAGERS, OWNER, READERS, Permission, declare

PEOPLE = EVERYONE - {"consumer"}


def declare_permissions() -> None:
    declare(
        Permission("organization.read", gettext_noop("See the organization"), EVERYONE, is_for_keys=True),
        Permission("organization.update", gettext_noop("Rename the organization"), MANAGERS),
        Permission("organization.transfer", gettext_noop("Hand the organization to somebody else"), frozenset({OWNER})),
        Permission("organization.delete", gettext_noop("Delete the organization"), frozenset({OWNER})),
        Permission("members.read", gettext_noop("See members and invitations"), PEOPLE),
        Permission("members.manage", gettext_noop("Invite and remove members, change roles"), MANAGERS),
        Permission("projects.read", gettext_noop("See projects and environments"), READERS, is_for_keys=True),
        Permission("projects.manage", gettext_noop("Create, change and delete projects and environments"), MANAGERS),
        Permission("keys.read", gettext_noop("See API keys"), READERS, is_for_keys=True),
        Permission("keys.manage", gettext_noop("Create, change and revoke API keys"), MAKERS, is_for_keys=True),
        Permission("requests.read", gettext_noop("See requests and their figures"), READERS, is_for_keys=True),
        Permission("webhooks.read", gettext_noop("See webhooks and what was delivered"), MAKERS),
        Permission("webhooks.manage", gettext_noop("Create, change and delete webhooks, deliver again"), MANAGERS),
        Permission("audit.read", gettext_noop("See and export the audit log"), MANAGERS),
    )
