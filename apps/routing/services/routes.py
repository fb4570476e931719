"""Routes: made, changed by versions, and taken back to one of them."""

from typing import Any

from django.db import transaction

from apps.routing.models import Owner, Route, RouteVersion
from apps.routing.services.definitions import Definition
from apps.routing.services.providers import refuse_file_owned
from apps.routing.services.records import record, touch_books
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict


@transaction.atomic
def create_route(
    *,
    organization_id: str,
    project_id: str,
    name: str,
    definition: Definition,
    actor: Actor,
    owner: str = Owner.PEOPLE,
) -> Route:
    definition.check(name)
    rows = Route.objects.of(organization_id)
    if rows.filter(project_id=project_id, name=name).exists():
        raise Conflict(f"There is a route `{name}` already", field="name")
    route = rows.create(organization_id=organization_id, project_id=project_id, name=name, owner=owner)
    _add_version(route, 1, definition.stored(), actor)
    _changed(route, actor, "route.created", after={"name": name, **definition.stored()})
    return route


@transaction.atomic
def update_route(
    *, route: Route, actor: Actor, definition: Definition | None = None, name: str = "", owner: str = Owner.PEOPLE
) -> Route:
    """A changed definition is the next version; the former ones stay."""
    route = _locked(route)
    if owner == Owner.PEOPLE:
        refuse_file_owned(route)
    before = {"name": route.name, **current_of(route)}
    after = {"name": name or route.name, **(definition.stored() if definition else current_of(route))}
    if after == before and route.owner == owner:
        return route
    if definition is not None:
        definition.check(after["name"])
    _rename(route, after["name"])
    if definition is not None and definition.stored() != current_of(route):
        route.version = _newest(route) + 1
        _add_version(route, route.version, definition.stored(), actor)
    route.owner = owner
    route.save(update_fields=["name", "version", "owner"])
    _changed(route, actor, "route.changed", before=before, after=after)
    return route


@transaction.atomic
def roll_back(*, route: Route, number: int, actor: Actor) -> Route:
    """What an earlier version says, as a new version: history only grows."""
    route = _locked(route)
    refuse_file_owned(route)
    wanted = RouteVersion.objects.of(route.organization_id).filter(route=route, number=number).first()
    if wanted is None:
        raise Conflict(f"This route has no version {number}", field="version")
    before = current_of(route)
    if wanted.definition == before:
        return route
    route.version = _newest(route) + 1
    _add_version(route, route.version, wanted.definition, actor)
    route.save(update_fields=["version"])
    _changed(route, actor, "route.rolled_back", before=before, after={"to": number, **wanted.definition})
    return route


@transaction.atomic
def remove_route(*, route: Route, actor: Actor, owner: str = Owner.PEOPLE) -> None:
    if owner == Owner.PEOPLE:
        refuse_file_owned(route)
    _changed(route, actor, "route.removed", before={"name": route.name, **current_of(route)})
    route.delete()


def current_of(route: Route) -> dict[str, Any]:
    found = RouteVersion.objects.of(route.organization_id).get(route=route, number=route.version)
    definition: dict[str, Any] = found.definition
    return definition


def _rename(route: Route, name: str) -> None:
    if name == route.name:
        return
    others = Route.objects.of(route.organization_id).filter(project_id=route.project_id, name=name)
    if others.exists():
        raise Conflict(f"There is a route `{name}` already", field="name")
    route.name = name


def _locked(route: Route) -> Route:
    return Route.objects.of(route.organization_id).select_for_update().get(id=route.id)


def _newest(route: Route) -> int:
    numbers = RouteVersion.objects.of(route.organization_id).filter(route=route).order_by("-number")
    return numbers.values_list("number", flat=True)[0]


def _add_version(route: Route, number: int, definition: dict[str, Any], actor: Actor) -> None:
    made_by = "file" if route.owner == Owner.FILE else actor.id
    RouteVersion.objects.create(
        organization_id=route.organization_id, route=route, number=number, definition=definition, created_by=made_by
    )


def _changed(route: Route, actor: Actor, action: str, **facts: Any) -> None:
    record(route.organization_id, actor, action, route.id, **facts)
    touch_books(route.organization_id, route.project_id)
