"""The audit log as people read it."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.orgs.contracts import OrganizationRef
from apps.orgs.selectors import audit as selectors
from apps.orgs.selectors.access import access_organization
from apps.orgs.views.pages import page
from brokle.ground.models import AuditEntry
from brokle.ground.services import audit as record
from brokle.kernel.errors import BadRequest
from brokle.web.actor import actor_of
from brokle.web.exports import download
from brokle.web.pagination import read_cursor, write_cursor
from brokle.web.tables import Column, Table

_PAGE = 50
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*\+00:00")
_COLUMNS = [
    Column("at", gettext_noop("Time")),
    Column("actor", gettext_noop("Who")),
    Column("action", gettext_noop("What")),
    Column("target", gettext_noop("To what")),
    Column("change", gettext_noop("Change")),
    Column("ip", gettext_noop("From where")),
]


_KINDS = (
    ("organization", gettext_noop("Organization")),
    ("member", gettext_noop("Members")),
    ("invitation", gettext_noop("Invitations")),
    ("project", gettext_noop("Projects")),
    ("environment", gettext_noop("Environments")),
    ("key", gettext_noop("API keys")),
    ("webhook", gettext_noop("Webhooks")),
    ("support_access", gettext_noop("Support access")),
    ("audit", gettext_noop("Audit log")),
)


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    at: datetime
    actor: str
    actor_id: str
    actor_kind: str
    action: str
    target: str
    target_id: str
    changes: list[tuple[str, str, str]]
    ip: str
    organization_id: str
    place: str


@dataclass(frozen=True, slots=True)
class Entries:
    """One page of a log, newest first."""

    rows: list[Row]
    table: Table


@never_cache
@require_safe
@login_required
def audit_log(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("audit.read")
    rows = selectors.entries_of(standing.organization.id)
    action = request.GET.get("action", "")[:80]
    if action and action.isprintable():
        rows = selectors.about_action(rows, action)
    kind = request.GET.get("format", "")
    if kind in {"csv", "json"}:
        return _export(request, standing.organization.id, standing.organization.slug, kind, rows)
    cursor = request.GET.get("cursor", "")
    entries = entries_page(rows, gettext_noop("Audit log"), cursor, standing.organization)
    context = {"rows": entries.rows, "table": entries.table, "action": action, "kinds": _KINDS}
    return page(request, "orgs/audit.html", context)


def entries_page(
    rows: QuerySet[AuditEntry], caption: str, cursor: str, place: OrganizationRef | None = None
) -> Entries:
    """A cursor that is none of ours begins anew. Without a place, each line says in which organization."""
    ordered = rows.order_by("-entry_id")
    with suppress(BadRequest):
        ordered = ordered.filter(entry_id__lt=read_cursor(cursor))
    found = list(ordered[: _PAGE + 1])
    following = write_cursor(found[_PAGE - 1].entry_id) if len(found) > _PAGE else ""
    page_of = found[:_PAGE]
    places = selectors.places_of(page_of) if place is None else {}
    names = selectors.names_of(page_of, organization_id=place.id if place else "")
    if place is not None:
        names[place.id] = place.name
    return Entries([_row(entry, names, places) for entry in page_of], Table(caption, _COLUMNS, next_cursor=following))


def _export(request: HttpRequest, organization_id: str, slug: str, kind: str, rows: object) -> HttpResponse:
    record(
        organization_id=organization_id,
        actor=actor_of(request),
        action="audit.exported",
        target_kind="organization",
        target_id=organization_id,
        after={"format": kind},
    )
    lines = selectors.as_rows(rows)  # type: ignore[arg-type]
    return download(f"audit-{slug}", kind, selectors.COLUMNS, lines)  # type: ignore[return-value]


def _text(value: object, names: dict[str, str]) -> str:
    """As people read it: names for ids, moments to the minute, what is on or off as JSON says it."""
    if isinstance(value, list):
        return ", ".join(_text(one, names) for one in value)
    if isinstance(value, bool):
        return json.dumps(value)
    text = "" if value is None else str(value)
    return text[:16].replace("T", " ") if _MOMENT.fullmatch(text) else names.get(text, text)


def _row(entry: AuditEntry, names: dict[str, str], places: dict[str, str]) -> Row:
    before, after = entry.before or {}, entry.after or {}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return Row(
        id=entry.entry_id,
        at=entry.at,
        actor=names.get(entry.actor_id, entry.actor_id),
        actor_id=entry.actor_id,
        actor_kind=entry.actor_kind,
        action=entry.action,
        target=names.get(entry.target_id, entry.target_id),
        target_id=entry.target_id,
        changes=[(name, _text(before.get(name), names), _text(after.get(name), names)) for name in changed][:6],
        ip=entry.ip or "",
        organization_id=entry.organization_id,
        place=places.get(entry.organization_id, ""),
    )
