"""Every change of a provider or a route is written down, and told to the edge, in its own transaction."""

from typing import Any

from apps.orgs import facade as orgs
from apps.routing.edge.book import KIND
from brokle.ground.services import Actor, audit, touch_snapshot


def record(organization_id: str, actor: Actor, action: str, target_id: str, **facts: Any) -> None:
    """`action` is `noun.past_tense`; facts are `before` and `after`, and never hold a secret."""
    kind = action.partition(".")[0]
    audit(organization_id=organization_id, actor=actor, action=action, target_kind=kind, target_id=target_id, **facts)


def touch_books(organization_id: str, project_id: str | None = None) -> None:
    """The book of one project, or of all that an organization has."""
    projects = [project_id] if project_id else orgs.list_project_ids(organization_id=organization_id)
    for found in projects:
        touch_snapshot(kind=KIND, object_id=found)
