"""What holds for all calls of a project."""

from typing import Any

from django.db import transaction

from apps.routing.models import GatewaySettings
from apps.routing.selectors.settings import settings_of
from apps.routing.services.records import record, touch_books
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now


@transaction.atomic
def change_settings(
    *, organization_id: str, project_id: str, actor: Actor, allows_own_keys: bool, clock: Clock = utc_now
) -> GatewaySettings:
    settings = settings_of(organization_id, project_id=project_id)
    before = facts_of(settings)
    settings.allows_own_keys = allows_own_keys
    if facts_of(settings) == before:
        return settings
    settings.changed_at = clock()
    settings.save()
    record(organization_id, actor, "gateway_settings.changed", project_id, before=before, after=facts_of(settings))
    touch_books(organization_id, project_id)
    return settings


def facts_of(settings: GatewaySettings) -> dict[str, Any]:
    return {"allows_own_keys": settings.allows_own_keys}
