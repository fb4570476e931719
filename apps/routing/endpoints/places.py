"""Where a call about the gateway stands, and what it may do there."""

from dataclasses import dataclass
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter

from apps.orgs import facade as orgs
from apps.routing.models import Provider, Route
from apps.routing.selectors.providers import providers_at
from apps.routing.selectors.routes import routes_of
from brokle.kernel.errors import Forbidden

ENVIRONMENT = OpenApiParameter(
    "environment", str, description="Id of an environment of the project; a key stands in its own, a person says which."
)


@dataclass(frozen=True, slots=True)
class Place:
    organization_id: str
    project_id: str
    environment_id: str


def place_of(request: Any, permission: str) -> Place:
    found = orgs.place_of_call(request, permission)
    return Place(found.organization.id, found.project_id, found.environment_id)


def provider_of(request: Any, permission: str, provider_id: str) -> Provider:
    """One that this project can call; what all projects share is changed by whoever may do so in all of them."""
    place = place_of(request, permission)
    provider = get_object_or_404(providers_at(place.organization_id, project_id=place.project_id), id=provider_id)
    if provider.project_id is None and permission != "providers.read":
        demand_everywhere(request, place, permission)
    return provider


def demand_everywhere(request: Any, place: Place, permission: str) -> None:
    standing = orgs.standing_of_call(request, organization_id=place.organization_id)
    if standing.key is not None:
        raise Forbidden("All projects share this; an API key changes only what is its own project's")
    standing.demand(permission)


def route_of(request: Any, permission: str, route_id: str) -> Route:
    place = place_of(request, permission)
    return get_object_or_404(routes_of(place.organization_id, project_id=place.project_id), id=route_id)
