"""Writes that accompany every change: the audit entry, the outbox promise, the snapshot's touch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from brokle.ground.models import AuditEntry, OutboxEntry, SnapshotChange
from brokle.kernel.clock import utc_now
from brokle.kernel.extensions import find_event_type
from brokle.kernel.ids import new_id
from brokle.kernel.tracing import tracer

SNAPSHOT_CHANNEL = "brokle_snapshot"
OUTBOX_CHANNEL = "brokle_outbox"
EVENTS_TOPIC = "events"
FIRST_HASH = "0" * 64
TRACEPARENT = "traceparent"
"""Member of an outbox payload that handlers do not see: the trace goes on where the promise is kept."""
_AUDIT_LOCK = 0x42524B4C


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a person, an API key, or Brokle itself.

    A person is a `user`, the `operator` in the operator's own room, or `support`: the operator inside an organization.
    """

    kind: str
    id: str
    ip: str | None = None
    user_agent: str = ""
    request_id: str = ""
    base_url: str = ""
    """The address under which they reached us, for links in mails where none is set."""


PERSON_KINDS = frozenset({"user", "operator", "support"})
SYSTEM = Actor("system", "brokle")


def touch_snapshot(*, kind: str, object_id: str, urgent: bool = False) -> None:
    """The compiler will look at this object again as soon as the transaction commits."""
    SnapshotChange.objects.create(kind=kind, object_id=object_id, urgent=urgent)
    wake(SNAPSHOT_CHANNEL)


def promise(*, topic: str, payload: Mapping[str, Any], organization_id: str = "") -> str:
    """Kept at least once by the worker, if the transaction commits."""
    event_id = new_id("evt")
    kept = dict(payload)
    traceparent = tracer.traceparent()
    if traceparent:
        kept[TRACEPARENT] = traceparent
    OutboxEntry.objects.create(event_id=event_id, topic=topic, payload=kept, organization_id=organization_id)
    wake(OUTBOX_CHANNEL)
    return event_id


def announce(*, organization_id: str, event: str, data: Mapping[str, Any], actor: Actor = SYSTEM) -> str:
    """Tells webhooks and notifications, once the transaction commits. The catalogue is `event_types`.

    Whoever did it is not notified of it.
    """
    if find_event_type(event) is None:
        raise ValueError(f"event {event!r} is not in the catalogue")
    payload = {
        "event": event,
        "data": dict(data),
        "organization_id": organization_id,
        "at": utc_now().isoformat(timespec="milliseconds"),
        "actor_id": actor.id if actor.kind in PERSON_KINDS else "",
        "base_url": actor.base_url,
    }
    return promise(topic=EVENTS_TOPIC, payload=payload, organization_id=organization_id)


def audit(
    *,
    organization_id: str,
    actor: Actor,
    action: str,
    target_kind: str,
    target_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> AuditEntry:
    """Written in the transaction of the change; chained by hash to the organization's entry before it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_AUDIT_LOCK, organization_id])
        last = AuditEntry.objects.filter(organization_id=organization_id).order_by("-sequence").first()
        entry = AuditEntry(
            entry_id=new_id("aud"),
            organization_id=organization_id,
            sequence=last.sequence + 1 if last else 1,
            at=at or utc_now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            target_kind=target_kind,
            target_id=target_id,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
            ip=actor.ip,
            user_agent=actor.user_agent[:300],
            request_id=actor.request_id,
            previous_hash=last.hash if last else FIRST_HASH,
        )
        entry.hash = hash_of(entry)
        entry.save(force_insert=True)
    return entry


def hash_of(entry: AuditEntry) -> str:
    """Over everything the entry says and the hash before it, so that no later edit goes unseen."""
    content = [
        entry.previous_hash,
        entry.entry_id,
        entry.organization_id,
        entry.sequence,
        entry.at.isoformat(),
        entry.actor_kind,
        entry.actor_id,
        entry.action,
        entry.target_kind,
        entry.target_id,
        entry.before,
        entry.after,
        entry.ip,
        entry.user_agent,
        entry.request_id,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def wake(channel: str) -> None:
    """Calls the loops that listen there. Delivered by PostgreSQL when, and only when, the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel])
