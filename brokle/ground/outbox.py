"""Keeps what was promised: each committed outbox row reaches its topic's handlers at least once.

Rows of a topic are handled by one worker at a time, in the order they were promised; one that fails steps aside for its
pause and holds up nobody.
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from brokle.ground.models import OutboxEntry
from brokle.ground.services import TRACEPARENT
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.extensions import OutboxHandler, outbox_handlers
from brokle.kernel.tracing import CONSUMER, tracer

log = logging.getLogger("brokle.ground.outbox")

_TOPIC_LOCK = 0x4F555442
_BATCH = 50
ATTEMPTS_MAX = 30
_BACKOFF_MAX_S = 3600.0

Chance = Callable[[], float]


def backoff_seconds(attempts: int, *, chance: float) -> float:
    """Exponential with jitter: 1, 2, 4 … an hour at most, spread by half."""
    return min(2.0 ** (attempts - 1), _BACKOFF_MAX_S) * (0.5 + chance / 2)


def deliver_due(*, clock: Clock = utc_now, chance: Chance = random.random) -> int:
    """One batch of every topic that has something due and that no other worker is at."""
    handlers: dict[str, list[OutboxHandler]] = {}
    for handler in outbox_handlers.collect():
        handlers.setdefault(handler.topic, []).append(handler)
    topics = list(_due(clock()).order_by("topic").values_list("topic", flat=True).distinct())
    return sum(_deliver_topic(topic, handlers.get(topic, []), clock, chance) for topic in topics)


def _due(now: datetime) -> QuerySet[OutboxEntry]:
    return OutboxEntry.objects.filter(delivered_at__isnull=True, dead_at__isnull=True, next_attempt_at__lte=now)


@transaction.atomic
def _deliver_topic(topic: str, handlers: list[OutboxHandler], clock: Clock, chance: Chance) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_TOPIC_LOCK, topic])
        if not cursor.fetchone()[0]:
            return 0
    due = list(_due(clock()).filter(topic=topic).select_for_update().order_by("id")[:_BATCH])
    for entry in due:
        _deliver(entry, handlers, clock, chance)
    return len(due)


def _deliver(entry: OutboxEntry, handlers: list[OutboxHandler], clock: Clock, chance: Chance) -> None:
    payload = {"event_id": entry.event_id, **entry.payload}
    traceparent = payload.pop(TRACEPARENT, "")
    try:
        with tracer.begin(f"outbox {entry.topic}", CONSUMER, traceparent), transaction.atomic():
            for handler in handlers:
                handler.handle(dict(payload))
    except Exception as error:  # noqa: BLE001 - any failure of a room's handler means: later again
        _postpone(entry, type(error).__name__, clock, chance)
        log.warning("outbox delivery failed", extra={"topic": entry.topic, "event_id": entry.event_id})
        return
    OutboxEntry.objects.filter(id=entry.id).update(delivered_at=clock(), attempts=F("attempts") + 1, last_error="")


def _postpone(entry: OutboxEntry, reason: str, clock: Clock, chance: Chance) -> None:
    attempts = entry.attempts + 1
    pause = backoff_seconds(attempts, chance=chance())
    OutboxEntry.objects.filter(id=entry.id).update(
        attempts=attempts,
        last_error=reason,
        next_attempt_at=clock() + timedelta(seconds=pause),
        dead_at=clock() if attempts >= ATTEMPTS_MAX else None,
    )
