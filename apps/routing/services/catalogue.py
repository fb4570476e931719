"""The catalogue in force: built from the data of this release, compiled for the edge, and kept price by price."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from django.db import connection, transaction

from apps.routing.edge.catalogue import KIND, OBJECT, Shelf
from apps.routing.models import CatalogueModel, CatalogueProvider, CatalogueVersion, ListPrice
from apps.routing.selectors.catalogue import group_of, list_providers
from apps.routing.selectors.price_list import GENAI, parts_of
from apps.routing.selectors.shelves import build_shelves, encode_shelves, entries_of, source_of
from apps.routing.services.bulk import put_rows
from brokle.ground.services import touch_snapshot
from brokle.kernel.clock import Clock, utc_now

log = logging.getLogger("brokle.routing")

Builder = Callable[[datetime], dict[str, Shelf]]
_LOCK: Final = 0x43415441
_KEPT: Final = 3


def refresh_catalogue(*, clock: Clock = utc_now, build: Builder = build_shelves) -> bool:
    """Builds it anew when the release, the price list or the day is another one. Whether anything changed."""
    now = clock()
    source = source_of(now)
    newest = CatalogueVersion.objects.order_by("-id").first()
    if newest is not None and newest.source == source:
        return False
    shelves = build(now)
    version, compiled = encode_shelves(shelves)
    return _put_in_force(shelves, source, version, compiled, now)


@transaction.atomic
def _put_in_force(shelves: dict[str, Shelf], source: str, version: str, compiled: bytes, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    newest = CatalogueVersion.objects.order_by("-id").first()
    if newest is not None and newest.version == version:
        CatalogueVersion.objects.filter(id=newest.id).update(source=source)
        return False
    CatalogueVersion.objects.create(version=version, source=source, compiled=compiled)
    _forget_old_versions()
    _put_providers()
    _put_models(shelves)
    _keep_prices(shelves, now)
    touch_snapshot(kind=KIND, object_id=OBJECT)
    log.info("catalogue in force", extra={"version": version, "source": source})
    return True


def _forget_old_versions() -> None:
    kept = list(CatalogueVersion.objects.order_by("-id").values_list("id", flat=True)[:_KEPT])
    CatalogueVersion.objects.exclude(id__in=kept).delete()


def _put_providers() -> None:
    groups = group_of()
    rows = [
        CatalogueProvider(
            name=name,
            group=groups[name],
            checked_at=facts.checked,
            endpoints=list(facts.endpoints),
            quirks=list(facts.quirks),
            aliases=list(facts.aliases),
            seen=list(facts.seen),
            **{field: getattr(facts, field) for field in ("title", "base_url", "auth", "env", "dialect", "source")},
        )
        for name, facts in list_providers().items()
    ]
    put_rows(CatalogueProvider, rows, by=["name"])
    CatalogueProvider.objects.exclude(name__in=list_providers()).delete()


def _put_models(shelves: dict[str, Shelf]) -> None:
    rows = [
        CatalogueModel(
            provider=kind,
            name=record.name,
            mode=record.mode,
            context=record.context or None,
            max_output=record.max_output or None,
            capabilities=record.capabilities,
            prices=parts_of(record.price) if record.price.is_known else None,
            price_version=record.price.version,
            released_on=facts.since,
            is_deprecated=facts.is_deprecated,
            source="genai-prices" if record.price.version.startswith(f"{GENAI}_") else facts.source,
        )
        for kind, record, facts in entries_of(shelves)
    ]
    put_rows(CatalogueModel, rows, by=["provider", "name"])
    named = {(row.provider, row.name) for row in rows}
    held = CatalogueModel.objects.values_list("id", "provider", "name")
    gone = [row_id for row_id, provider, name in held if (provider, name) not in named]
    CatalogueModel.objects.filter(id__in=gone).delete()


def _keep_prices(shelves: dict[str, Shelf], now: datetime) -> None:
    """What is known stays; a price that returns is the one it was."""
    rows = {
        record.price.version: ListPrice(
            version=record.price.version,
            provider=kind,
            model=record.name,
            prices=parts_of(record.price),
            exact=msgspec.to_builtins(record.price),
            since=now,
        )
        for kind, record, _facts in entries_of(shelves)
        if record.price.is_known
    }
    held = set(ListPrice.objects.filter(version__in=list(rows)).values_list("version", flat=True))
    put_rows(ListPrice, [row for version, row in rows.items() if version not in held], by=["version"])
