"""Keys that stand in the environment under their usual names become providers, so that the gateway works at once."""

import logging
from typing import Final

from django.db import transaction

from apps.orgs import facade as orgs
from apps.routing.models import Provider
from apps.routing.selectors.catalogue import list_providers
from apps.routing.services.credentials import keep_credential
from apps.routing.services.records import record, touch_books
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM
from brokle.settings.env import env

log = logging.getLogger("brokle.routing")

_PICKED: Final = "provider.picked_up"


@transaction.atomic
def pick_up_keys() -> None:
    """Once for each kind: what people changed or removed since stays so. Needs the organization `default`."""
    found = {name: facts for name, facts in list_providers().items() if facts.env and facts.is_picked_up}
    given = {name: facts for name, facts in found.items() if env.outside(facts.env).strip()}
    place = orgs.find_default_project() if given else None
    if place is None:
        return
    rows = Provider.objects.of(place.organization_id)
    entries = AuditEntry.objects.filter(organization_id=place.organization_id, action=_PICKED)
    known = set(entries.values_list("after__kind", flat=True)) | set(
        rows.filter(project=None).values_list("name", flat=True)
    )
    for name, facts in given.items():
        if name not in known:
            _pick_up(place.organization_id, name, facts.base_url, facts.env)
    if set(given) - known:
        touch_books(place.organization_id)


def _pick_up(organization_id: str, kind: str, base_url: str, variable: str) -> None:
    provider = Provider.objects.of(organization_id).create(
        organization_id=organization_id, name=kind, kind=kind, base_url=base_url
    )
    keep_credential(provider=provider, secret=env.outside(variable).strip(), name=variable)
    record(organization_id, SYSTEM, _PICKED, provider.id, after={"name": kind, "kind": kind, "variable": variable})
    log.info("picked up a provider", extra={"provider": kind, "variable": variable})
