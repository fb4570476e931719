"""What happened in an organization, from the ground's audit entries."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.db.models import Q, QuerySet

from apps.orgs.models import ApiKey, Environment, Invitation, Organization, Project, Webhook
from apps.users import facade as users
from brokle.ground.models import AuditEntry

COLUMNS = (
    *("entry_id", "sequence", "at", "actor_kind", "actor_id", "action", "target_kind", "target_id"),
    *("before", "after", "ip", "user_agent", "request_id", "hash"),
)


# Ids tell by their beginning what they are of.
_ID: Final = re.compile(r"[a-z]{3}_[0-9a-z]{26}")
_NAMED: Final[dict[str, tuple[Any, str]]] = {
    "key": (ApiKey.objects, "name"),
    "prj": (Project.objects, "name"),
    "env": (Environment.objects, "name"),
    "inv": (Invitation.objects, "email"),
}


def entries_of(organization_id: str) -> QuerySet[AuditEntry]:
    if not organization_id:
        raise ValueError("audit entries are asked for by organization")
    return AuditEntry.objects.filter(organization_id=organization_id)


def entries_of_operators() -> QuerySet[AuditEntry]:
    """What belongs to no organization, and what operators did in any."""
    return AuditEntry.objects.filter(Q(organization_id="") | Q(actor_kind__in=("operator", "support")))


def about(rows: QuerySet[AuditEntry], object_id: str) -> QuerySet[AuditEntry]:
    """What somebody did, and what was done to them, or in an organization."""
    return rows.filter(Q(actor_id=object_id) | Q(target_id=object_id) | Q(organization_id=object_id))


def about_action(rows: QuerySet[AuditEntry], action: str) -> QuerySet[AuditEntry]:
    """`key.revoked`, or `key` for everything about keys."""
    return rows.filter(Q(action=action) | Q(action__startswith=f"{action}."))


def since(rows: QuerySet[AuditEntry], at: datetime) -> QuerySet[AuditEntry]:
    return rows.filter(at__gte=at)


def until(rows: QuerySet[AuditEntry], at: datetime) -> QuerySet[AuditEntry]:
    return rows.filter(at__lt=at)


def as_rows(rows: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    """For exports: newest first, in the order of the chain, never all in memory."""
    for entry in rows.order_by("-sequence").iterator(chunk_size=2000):
        row = {column: getattr(entry, column) for column in COLUMNS}
        row["at"] = entry.at.isoformat()
        yield row


def places_of(entries: Iterable[AuditEntry]) -> dict[str, str]:
    """What the organizations are called; those that are gone keep their id."""
    found = {entry.organization_id for entry in entries} - {""}
    named = Organization.objects.filter(id__in=found).values_list("id", "name")
    return {organization_id: organization_id for organization_id in found} | dict(named)


def names_of(entries: Iterable[AuditEntry], *, organization_id: str = "") -> dict[str, str]:
    """What to call whom and what the entries speak of, by id; what is gone has no name.

    Of many organizations, only people have names.
    """
    spoken: dict[str, set[str]] = {}
    for text in _ids(entries):
        spoken.setdefault(text.partition("_")[0], set()).add(text)
    found = users.list_names(user_ids=sorted(spoken.get("usr", ())))
    if not organization_id:
        return found
    for prefix, (rows, name) in _NAMED.items():
        if prefix in spoken:
            found |= dict(rows.of(organization_id).filter(id__in=spoken[prefix]).values_list("id", name))
    hooks = Webhook.objects.of(organization_id).filter(id__in=spoken.get("whk", ()))
    return found | {hook.id: hook.description or urlsplit(hook.url).hostname or hook.id for hook in hooks}


def _ids(entries: Iterable[AuditEntry]) -> Iterator[str]:
    for entry in entries:
        yield entry.actor_id
        yield entry.target_id
        for value in (*(entry.before or {}).values(), *(entry.after or {}).values()):
            if isinstance(value, str) and _ID.fullmatch(value):
                yield value
