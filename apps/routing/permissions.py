"""What can be done with the gateway's providers and routes, and which roles include it."""

from django.utils.translation import gettext_noop

from brokle.kernel.access import MAKERS, READERS, Permission, declare


def declare_permissions() -> None:
    declare(
        Permission("providers.read", gettext_noop("See providers, their models and prices"), READERS, is_for_keys=True),
        Permission(
            "providers.manage",
            gettext_noop("Connect, change and remove providers, their keys and models"),
            MAKERS,
            is_for_keys=True,
        ),
        Permission("routes.read", gettext_noop("See routes and their versions"), READERS, is_for_keys=True),
        Permission("routes.manage", gettext_noop("Create, change and remove routes"), MAKERS, is_for_keys=True),
        Permission("playground.use", gettext_noop("Call models from the playground"), MAKERS),
        Permission("limits.read", gettext_noop("See limits of the gateway"), READERS, is_for_keys=True),
        Permission("limits.manage", gettext_noop("Set, change and remove limits of the gateway"), MAKERS),
        Permission("costs.manage", gettext_noop("Charge past requests again"), MAKERS),
    )
