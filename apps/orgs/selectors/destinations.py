"""Where an event leads: to the very thing it tells of, as far as somebody may see it and it is still there."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse

from apps.orgs.contracts import EnvironmentRef, Standing
from apps.orgs.models import ApiKey, Environment, Notification, Project, Webhook
from apps.orgs.selectors.organizations import find_standing_in_grace
from apps.orgs.selectors.projects import environment_ref, environments_for
from brokle.kernel.extensions import EventType, find_event_type

_ID_LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Thing:
    """What an event tells of, and where that stands."""

    id: str = ""
    project_id: str = ""
    environment_id: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Thing":
        return cls(*(str(data.get(name, ""))[:_ID_LONGEST] for name in ("id", "project_id", "environment_id")))


class Guide:
    """Leads one person through an organization; asks once for all the things."""

    def __init__(self, standing: Standing, told: Sequence[tuple[EventType, Thing]]) -> None:
        self._standing = standing
        environments = {thing.environment_id for _, thing in told} - {""}
        self._places = _places(standing, environments) if environments else {}
        self._here = set(_still_here(standing.organization.id, told))

    def path_to(self, event: EventType, thing: Thing) -> str:
        """Its own page, else the one that lists it, else the organization's first page."""
        place = self._places.get(thing.environment_id)
        if thing.environment_id and place is None:
            return self._first_page
        query = f"?env={place.project_slug}/{place.environment_slug}" if place else ""
        kind = _kind(event)
        project_id = thing.id if kind == "project" else thing.project_id
        if event.item and thing.id in self._here and self._may(event.item_needs, project_id):
            return self._address(event.item, **{f"{kind}_id": thing.id}) + query
        url_name, needs = event.list_of(thing.id)
        if url_name and self._may(needs, project_id):
            return self._address(url_name) + query
        return self._first_page

    def _may(self, permission: str, project_id: str) -> bool:
        return not permission or self._standing.may(permission, project_id)

    def _address(self, name: str, **parts: str) -> str:
        organization = self._standing.organization
        for whose in ({"organization": organization.slug}, {"organization_id": organization.id}):
            with suppress(NoReverseMatch):
                return reverse(name, kwargs={**whose, **parts})
        return self._first_page

    @property
    def _first_page(self) -> str:
        return f"/{self._standing.organization.slug}/"


def path_to(event: EventType, standing: Standing, thing: Thing) -> str:
    return Guide(standing, [(event, thing)]).path_to(event, thing)


def paths_to(told: Iterable[Notification]) -> dict[str, str]:
    """Of notifications of one person, by id."""
    rows, found = list(told), {}
    for organization_id, user_id in {(row.organization_id, row.user_id) for row in rows}:
        standing = find_standing_in_grace(user_id=user_id, organization_id=organization_id)
        own = [row for row in rows if row.organization_id == organization_id]
        known = [(row, event) for row in own if (event := find_event_type(row.event)) is not None]
        found |= {row.id: f"/{row.organization.slug}/" for row in own}
        if standing is not None:
            guide = Guide(standing, [(event, thing_of(row)) for row, event in known])
            found |= {row.id: guide.path_to(event, thing_of(row)) for row, event in known}
    return found


def thing_of(row: Notification) -> Thing:
    return Thing(row.subject_id, row.project_id, row.environment_id)


def _kind(event: EventType) -> str:
    return event.key.partition(".")[0]


def _places(standing: Standing, ids: set[str]) -> dict[str, EnvironmentRef]:
    rows = environments_for(standing).filter(id__in=ids).select_related("project")
    return {row.id: environment_ref(row, standing.organization) for row in rows}


def _still_here(organization_id: str, told: Sequence[tuple[EventType, Thing]]) -> Iterable[str]:
    """Of other rooms' things nobody knows here; their own page says when they are gone."""
    kept: dict[str, QuerySet[Any]] = {
        "key": ApiKey.objects.of(organization_id).filter(revoked_at__isnull=True),
        "project": Project.objects.of(organization_id),
        "environment": Environment.objects.of(organization_id),
        "webhook": Webhook.objects.of(organization_id),
    }
    by_kind: dict[str, set[str]] = {}
    for event, thing in told:
        if event.item and thing.id:
            by_kind.setdefault(_kind(event), set()).add(thing.id)
    for kind, ids in by_kind.items():
        yield from kept[kind].filter(id__in=ids).values_list("id", flat=True) if kind in kept else ids
