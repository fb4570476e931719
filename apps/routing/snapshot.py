"""What the edge reads of this room: each project's book of providers and routes, and the catalogue."""

from collections.abc import Iterator
from typing import Any

import msgspec
from django.db.models import F, Prefetch, Q, QuerySet

from apps.orgs import facade as orgs
from apps.routing.edge.book import (
    BookRecord,
    CredentialRecord,
    LimitRecord,
    ModelRecord,
    ProviderRecord,
    RouteRecord,
    TargetRecord,
    encode_book,
)
from apps.routing.edge.catalogue import OBJECT
from apps.routing.edge.prices import FREE
from apps.routing.models import (
    CatalogueVersion,
    Credential,
    GatewaySettings,
    Provider,
    ProviderModel,
    Route,
    RouteVersion,
    UsageLimit,
)
from apps.routing.selectors.credentials import sealed_for_edge
from apps.routing.selectors.limits import limits_at
from apps.routing.selectors.price_list import price_of_usd
from apps.routing.selectors.providers import address_of, auth_of, dialect_of, endpoints_of
from apps.routing.selectors.settings import settings_of

_SETTINGS = ("sticky", "fallback_on", "shadow", "hedge_after_ms")


def compile_book(project_id: str) -> bytes | None:
    organization_id = orgs.find_organization_of_project(project_id=project_id)
    return _book(organization_id, project_id) if organization_id else None


def compile_books() -> Iterator[tuple[str, bytes]]:
    """Only projects that can call anything of their own have a book."""
    providing = set(Provider.objects.across_organizations().values_list("organization_id", flat=True))
    routed = set(Route.objects.across_organizations().values_list("project_id", flat=True))
    limited = set(UsageLimit.objects.across_organizations().values_list("organization_id", flat=True))
    routed |= set(GatewaySettings.objects.across_organizations().values_list("project_id", flat=True))
    for organization_id, project_id in orgs.list_projects_everywhere():
        if organization_id not in providing | limited and project_id not in routed:
            continue
        book = _book(organization_id, project_id)
        if book is not None:
            yield project_id, book


def compile_catalogue(object_id: str) -> bytes | None:
    """The newest; until the worker has built the first one there is none."""
    newest = CatalogueVersion.objects.order_by("-id").first() if object_id == OBJECT else None
    return bytes(newest.compiled) if newest else None


def compile_catalogues() -> Iterator[tuple[str, bytes]]:
    compiled = compile_catalogue(OBJECT)
    if compiled is not None:
        yield OBJECT, compiled


def _book(organization_id: str, project_id: str) -> bytes | None:
    providers = [_provider(provider) for provider in _providers(organization_id, project_id)]
    routes = [_route(route) for route in _routes(organization_id, project_id)]
    limits = [_limit(limit) for limit in limits_at(organization_id, project_id=project_id).order_by("id")]
    allows = settings_of(organization_id, project_id=project_id).allows_own_keys
    if not (providers or routes or limits or allows):
        return None
    return encode_book(BookRecord(project_id, providers, routes, limits, allows_own_keys=allows))


def _providers(organization_id: str, project_id: str) -> QuerySet[Provider]:
    """A project's own provider comes last, and so counts more than one of its name that all projects share."""
    rows = Provider.objects.of(organization_id).filter(Q(project_id=project_id) | Q(project=None), is_enabled=True)
    return rows.order_by(F("project_id").asc(nulls_first=True), "created_at").prefetch_related(
        "credentials", Prefetch("models", ProviderModel.objects.of(organization_id).order_by("created_at", "id"))
    )


def _provider(provider: Provider) -> ProviderRecord:
    return ProviderRecord(
        provider.id,
        provider.name,
        dialect_of(provider.kind),
        address_of(provider),
        [_credential(credential) for credential in provider.credentials.all()],
        [_model(model) for model in provider.models.all()],
        is_open=provider.is_open,
        kind=provider.kind,
        auth=auth_of(provider.kind),
        options=provider.options,
        endpoints=endpoints_of(provider.kind),
    )


def _model(model: ProviderModel) -> ModelRecord:
    """Without prices of its own its price has no version, and the catalogue's holds."""
    price = price_of_usd(model.prices, model.price_version) if model.prices else FREE
    facts = {"max_output": model.max_output or 0, "mode": model.mode, "capabilities": model.capabilities}
    return ModelRecord(model.name, model.upstream_name, price, model.context or 0, **facts)


def _credential(held: Credential) -> CredentialRecord:
    return CredentialRecord(held.id, sealed_for_edge(held), held.weight, held.environment_id or "")


def _routes(organization_id: str, project_id: str) -> list[tuple[Route, dict[str, Any]]]:
    routes = list(Route.objects.of(organization_id).filter(project_id=project_id).order_by("created_at"))
    versions = RouteVersion.objects.of(organization_id).filter(route__in=routes)
    definitions = {(version.route_id, version.number): version.definition for version in versions}
    return [(route, definitions[route.id, route.version]) for route in routes]


def _route(held: tuple[Route, dict[str, Any]]) -> RouteRecord:
    route, definition = held
    return RouteRecord(
        route.id,
        route.name,
        route.version,
        definition["strategy"],
        [_target(target) for target in definition["targets"]],
        definition.get("retries", 0),
        definition.get("timeout_ms", 0),
        _json(definition.get("cache")),
        _json({name: definition[name] for name in _SETTINGS if name in definition}),
    )


def _limit(held: UsageLimit) -> LimitRecord:
    counted = (held.subject, held.measured, held.amount, held.window, held.only)
    return LimitRecord(held.id, held.name, *counted, is_soft=held.is_soft)


def _target(target: dict[str, Any]) -> TargetRecord:
    when, timeout_ms = _json(target.get("when")), target.get("timeout_ms", 0)
    return TargetRecord(target["model"], target.get("weight", 1), when, timeout_ms)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value) if value else b""
