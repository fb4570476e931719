"""A project's routes and what they were before."""

from typing import Any

from django.db.models import QuerySet

from apps.routing.models import Route, RouteVersion


def routes_of(organization_id: str, *, project_id: str) -> QuerySet[Route]:
    return Route.objects.of(organization_id).filter(project_id=project_id)


def versions_of(organization_id: str, *, route_id: str) -> QuerySet[RouteVersion]:
    return RouteVersion.objects.of(organization_id).filter(route_id=route_id)


def definitions_of(organization_id: str, routes: list[Route]) -> dict[str, dict[str, Any]]:
    """What is in force, by the id of the route."""
    rows = RouteVersion.objects.of(organization_id).filter(route__in=routes)
    found = {(row.route_id, row.number): row.definition for row in rows}
    return {route.id: found[route.id, route.version] for route in routes}


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Where two definitions differ, leaf by leaf: `targets[1].weight`, from what, to what."""
    former, later = dict(_leaves(before, "")), dict(_leaves(after, ""))
    paths = [path for path in {**former, **later} if former.get(path, _NONE) != later.get(path, _NONE)]
    return [{"path": path, "before": former.get(path), "after": later.get(path)} for path in sorted(paths)]


_NONE = object()


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name in value for leaf in _leaves(value[name], f"{path}.{name}".lstrip("."))]
    if isinstance(value, list) and value:
        return [leaf for place, inner in enumerate(value) for leaf in _leaves(inner, f"{path}[{place}]")]
    return [(path, value)]
