"""The catalogue of what can be called, and models side by side."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import DecimalField, F, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.orgs import facade as orgs
from apps.orgs.contracts import EnvironmentRef
from apps.routing.models import CatalogueModel, Provider, ProviderModel
from apps.routing.selectors.providers import models_at, providers_at
from apps.routing.views.pages import env_of, href_at
from apps.routing.views.words import CAPABILITIES, MODES
from brokle.web.navigation import Line
from brokle.web.pages import page
from brokle.web.snippets import connect_command
from brokle.web.tables import Column, Sort, Table

MOST_COMPARED = 4
_PAGE = 50
_LONGEST = 80
_COLUMNS = [
    Column("compare", gettext_noop("Compare")),
    Column("name", gettext_noop("Model"), is_sortable=True),
    Column("mode", gettext_noop("Kind")),
    Column("input", gettext_noop("Input, a million"), is_numeric=True, is_sortable=True),
    Column("output", gettext_noop("Output, a million"), is_numeric=True, is_sortable=True),
    Column("context", gettext_noop("Context"), is_numeric=True, is_sortable=True),
    Column("capabilities", gettext_noop("Capabilities")),
    Column("released", gettext_noop("Released"), is_sortable=True),
]
_COMPARED = (
    ("input", gettext_noop("Input, a million")),
    ("output", gettext_noop("Output, a million")),
    ("cache_read", gettext_noop("Read from the provider's cache")),
    ("cache_write_5m", gettext_noop("Written to the provider's cache")),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A model as this project can call it: `name` is what callers write, where its provider is connected."""

    id: str
    name: str
    mode: str
    prices: dict[str, str]
    context: int | None
    max_output: int | None
    capabilities: list[tuple[str, str]]
    released_on: str = ""
    is_deprecated: bool = False
    is_callable: bool = True
    is_own: bool = False

    @property
    def input(self) -> str:
        return self.prices.get("input", "")

    @property
    def output(self) -> str:
        return self.prices.get("output", "")


@never_cache
@require_safe
@login_required
def model_list(request: HttpRequest, organization: str) -> HttpResponse:
    place = orgs.access_environment(request, organization_slug=organization, permission="providers.read")
    asked = {name: _asked(request, name) for name in ("q", "provider", "mode", "capability")}
    connected = _connected(place)
    is_whole = request.GET.get("scope") == "all"
    sort = Sort.from_query(request.GET, _COLUMNS, Sort("released"))
    rows = _ordered(_narrowed(CatalogueModel.objects.all(), asked, None if is_whole else connected), sort)
    start = _start(request)
    shown = list(rows[start : start + _PAGE + 1])
    following = str(start + _PAGE) if len(shown) > _PAGE else ""
    own = [] if start else _own(place, asked, connected)
    context = {
        "models": [*own, *_known(place, shown[:_PAGE], connected)],
        "table": Table(gettext_noop("Models"), _COLUMNS, sort, next_cursor=following),
        "asked": asked,
        "is_whole": is_whole,
        "is_narrowed": any(asked.values()),
        "has_providers": bool(connected),
        "providers": sorted(one.name for one in connected.values()),
        "modes": [(key, _(title)) for key, title in MODES.items()],
        "capabilities": [(key, _(title)) for key, title in CAPABILITIES.items()],
        "env": env_of(place),
        "here": href_at(place, "models"),
        "whole": href_at(place, "models", scope="all"),
        "compare": href_at(place, "models-compare").partition("?")[0],
        "connect": href_at(place, "provider-new"),
        "command": connect_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
    }
    return page(request, "routing/models.html", context)


@never_cache
@require_safe
@login_required
def model_compare(request: HttpRequest, organization: str) -> HttpResponse:
    """Up to four side by side; further ones are left out."""
    standing, place = orgs.access_place(request, organization_slug=organization, permission="providers.read")
    wanted = [one for one in request.GET.getlist("model") if one.isprintable()][:MOST_COMPARED]
    connected = _connected(place)
    found = {one.id: one for one in _known(place, CatalogueModel.objects.filter(id__in=wanted), connected)}
    found |= {one.id: one for one in _own_of(models_at(place.organization.id, project_id=place.project_id, ids=wanted))}
    models = [found[one] for one in wanted if one in found]
    crumbs = [Line("models", _("Models"), href_at(place, "models")), Line("compare", _("Compare"), "")]
    context = {
        "models": models,
        "prices": [(_(title), [one.prices.get(key, "") for one in models]) for key, title in _COMPARED],
        "breadcrumb": crumbs,
        "back": href_at(place, "models"),
        "playground": _playground(place, models) if standing.may("playground.use", place.project_id) else "",
    }
    return page(request, "routing/models-compare.html", context)


def _playground(place: EnvironmentRef, models: list[Known]) -> str:
    """Where to ask those of them that can be talked to."""
    names = [("model", one.name) for one in models if one.is_callable and one.mode == _(MODES["chat"])]
    return f"{href_at(place, 'playground')}&{urlencode(names, safe='/')}" if names else ""


def _asked(request: HttpRequest, name: str) -> str:
    value = request.GET.get(name, "").strip()[:_LONGEST]
    return value if value.isprintable() else ""


def _start(request: HttpRequest) -> int:
    """The catalogue stands still, so pages are counted: what is no number begins anew."""
    text = request.GET.get("cursor", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _ordered(rows: QuerySet[CatalogueModel], sort: Sort) -> QuerySet[CatalogueModel]:
    """What has no price or size comes last either way."""
    fields: dict[str, Any] = {"name": F("name"), "released": F("released_on"), "context": F("context")}
    for part in ("input", "output"):
        fields[part] = Cast(KeyTextTransform(part, "prices"), DecimalField(max_digits=30, decimal_places=12))
    key = fields[sort.key]
    order = key.desc(nulls_last=True) if sort.is_descending else key.asc(nulls_last=True)
    return rows.order_by(order, "provider", "name")


def _connected(place: EnvironmentRef) -> dict[str, Provider]:
    """By kind; of several of a kind the first stands for all."""
    rows = providers_at(place.organization.id, project_id=place.project_id).filter(is_enabled=True)
    found: dict[str, Provider] = {}
    for provider in rows.order_by("id"):
        found.setdefault(provider.kind, provider)
    return found


def _narrowed(
    rows: QuerySet[CatalogueModel], asked: dict[str, str], connected: dict[str, Provider] | None
) -> QuerySet[CatalogueModel]:
    if connected is not None:
        rows = rows.filter(provider__in=[kind for kind, provider in connected.items() if provider.is_open])
        if asked["provider"]:
            kinds = [kind for kind, provider in connected.items() if provider.name == asked["provider"]]
            rows = rows.filter(provider__in=kinds)
    if asked["q"]:
        rows = rows.filter(Q(name__icontains=asked["q"]) | Q(provider__icontains=asked["q"]))
    if asked["mode"]:
        rows = rows.filter(mode=asked["mode"])
    return rows.filter(capabilities__contains=[asked["capability"]]) if asked["capability"] else rows


def _known(place: EnvironmentRef, rows: Iterable[CatalogueModel], connected: dict[str, Provider]) -> list[Known]:
    """At the organization's own prices, where it has some."""
    own = {(one.provider_id, one.name): one for one in models_at(place.organization.id, project_id=place.project_id)}
    found = []
    for row in rows:
        provider = connected.get(row.provider)
        override = own.get((provider.id, row.name)) if provider else None
        prices = (override.prices if override and override.prices else row.prices) or {}
        found.append(
            Known(
                id=row.id,
                name=f"{provider.name if provider else row.provider}/{row.name}",
                mode=_(MODES.get(row.mode, row.mode)),
                prices=prices,
                context=row.context,
                max_output=row.max_output,
                capabilities=_abilities(row.capabilities),
                released_on=row.released_on,
                is_deprecated=row.is_deprecated,
                is_callable=provider is not None,
                is_own=bool(override and override.prices),
            )
        )
    return found


def _own(place: EnvironmentRef, asked: dict[str, str], connected: dict[str, Provider]) -> list[Known]:
    """Models that only this organization knows; those of the catalogue stand there."""
    rows = models_at(place.organization.id, project_id=place.project_id).filter(provider__is_enabled=True)
    for field, name in (("name__icontains", "q"), ("provider__name", "provider"), ("mode", "mode")):
        rows = rows.filter(**{field: asked[name]}) if asked[name] else rows
    if asked["capability"]:
        rows = rows.filter(capabilities__contains=[asked["capability"]])
    listed = set(
        CatalogueModel.objects.filter(provider__in=connected, name__in=[one.name for one in rows]).values_list(
            "provider", "name"
        )
    )
    return _own_of(one for one in rows if (one.provider.kind, one.name) not in listed)


def _own_of(rows: Iterable[ProviderModel]) -> list[Known]:
    return [
        Known(
            id=one.id,
            name=f"{one.provider.name}/{one.name}",
            mode=_(MODES.get(one.mode, one.mode)),
            prices=one.prices,
            context=one.context,
            max_output=one.max_output,
            capabilities=_abilities(one.capabilities),
            is_own=True,
        )
        for one in rows
    ]


def _abilities(names: list[str]) -> list[tuple[str, str]]:
    """Key and title; what has no title of ours says its own."""
    return [(name, _(CAPABILITIES[name]) if name in CAPABILITIES else "") for name in names]
