"""A project's book for the edge: its providers with their keys and models, and its routes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet

from apps.orgs import facade as orgs
from apps.routing.edge.book import (
    BookRecord,
    CredentialRecord,
    ModelRecord,
    ProviderRecord,
    RouteRecord,
    TargetRecord,
    encode_book,
)
from apps.routing.edge.prices import Price, picos_of_usd, picos_per_token
from apps.routing.models import Credential, Provider, ProviderModel, Route, RouteVersion
from apps.routing.selectors.credentials import sealed_for_edge


def compile_book(project_id: str) -> bytes | None:
    organization_id = orgs.find_organization_of_project(project_id=project_id)
    return _book(organization_id, project_id) if organization_id else None


def compile_books() -> Iterator[tuple[str, bytes]]:
    """Only projects that can call anything of their own have a book."""
    providing = set(Provider.objects.across_organizations().values_list("organization_id", flat=True))
    routed = set(Route.objects.across_organizations().values_list("project_id", flat=True))
    for organization_id, project_id in orgs.list_projects_everywhere():
        if organization_id not in providing and project_id not in routed:
            continue
        book = _book(organization_id, project_id)
        if book is not None:
            yield project_id, book


def _book(organization_id: str, project_id: str) -> bytes | None:
    providers = [_provider(provider) for provider in _providers(organization_id, project_id)]
    routes = [_route(route) for route in _routes(organization_id, project_id)]
    return encode_book(BookRecord(project_id, providers, routes)) if providers or routes else None


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
        provider.kind,
        provider.base_url,
        [_credential(credential) for credential in provider.credentials.all()],
        [ModelRecord(m.name, m.upstream_name, price_of(m.prices, m.id), m.context or 0) for m in provider.models.all()],
        is_open=provider.is_open,
    )


def _credential(held: Credential) -> CredentialRecord:
    return CredentialRecord(held.id, sealed_for_edge(held), held.weight, held.environment_id or "")


def price_of(prices: dict[str, Any], version: str) -> Price:
    """Dollars for a million tokens, as people write them, in the edge's whole numbers."""

    def picos(name: str) -> int:
        return picos_per_token(prices.get(name))

    return Price(
        input=max(0, picos("input")),
        output=max(0, picos("output")),
        cache_read=picos("cache_read"),
        cache_write_5m=picos("cache_write_5m"),
        cache_write_1h=picos("cache_write_1h"),
        reasoning=picos("reasoning"),
        audio_input=picos("audio_input"),
        audio_output=picos("audio_output"),
        request=picos_of_usd(prices.get("request", Decimal(0))),
        version=version,
    )


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
        [TargetRecord(target["model"], target.get("weight", 1)) for target in definition["targets"]],
        definition.get("retries", 0),
        definition.get("timeout_ms", 0),
    )
