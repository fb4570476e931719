"""Carries webhook deliveries out: many at once, few for each webhook and organization: nobody waits for another.

The dispatcher alone talks to the database; each call is a thread that only waits for its receiver. A delivery is leased
while it is under way: killed in the middle, it is due again when the lease runs out.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from apps.orgs.models import DeliveryStatus, WebhookDelivery
from apps.orgs.services.deliveries import EXCERPT_BYTES, Chance, Outcome, settle
from apps.orgs.services.signatures import secrets_of, signed_headers
from apps.orgs.services.webhooks import webhook_door
from brokle.edge.egress.door import Door
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError
from brokle.kernel.metrics import counter, gauge
from brokle.kernel.sealing import UnableToUnseal

log = logging.getLogger("brokle.orgs.webhooks")

SLOTS: Final = 64
PER_WEBHOOK: Final = 4
PER_ORGANIZATION: Final = 8
LEASE: Final = timedelta(seconds=60)
_LOCK = 0x57484B53
_LOOK_AGAIN_S = 0.05

_ended = counter("brokle_webhook_attempts_total", "Calls of webhooks.", "result")
_delivered, _failed = _ended.of("delivered"), _ended.of("failed")
_under_way = gauge("brokle_webhook_calls", "Calls of webhooks under way.").of()

# From webhook to webhook along the index of what is pending, so that a long queue of one costs the others nothing. A
# webhook that fails gets one call at a time, and all those that fail together at most half of the slots.
_CLAIM = """
WITH RECURSIVE waiting (webhook_id) AS (
    (SELECT webhook_id FROM webhook_deliveries WHERE status = 'pending' ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM webhook_deliveries d
            WHERE d.status = 'pending' AND d.webhook_id > w.webhook_id ORDER BY d.webhook_id LIMIT 1)
    FROM waiting w WHERE w.webhook_id IS NOT NULL
), flying AS (
    SELECT webhook_id, organization_id, count(*) AS calls FROM webhook_deliveries
    WHERE status = 'pending' AND leased_until > %(now)s GROUP BY 1, 2
), due AS (
    SELECT d.id, d.organization_id, d.next_attempt_at, h.failing_since IS NOT NULL AS is_failing,
           row_number() OVER (PARTITION BY d.webhook_id ORDER BY d.next_attempt_at, d.id)
               + coalesce(f.calls, 0) AS place
    FROM waiting w
    JOIN webhooks h ON h.id = w.webhook_id AND h.is_enabled
    LEFT JOIN flying f ON f.webhook_id = h.id
    CROSS JOIN LATERAL (
        SELECT id, webhook_id, organization_id, next_attempt_at FROM webhook_deliveries
        WHERE webhook_id = w.webhook_id AND status = 'pending' AND next_attempt_at <= %(now)s
        ORDER BY next_attempt_at, id
        LIMIT greatest(CASE WHEN h.failing_since IS NULL THEN %(per_webhook)s ELSE 1 END - coalesce(f.calls, 0), 0)
    ) d
), ranked AS (
    SELECT due.*,
           row_number() OVER (PARTITION BY organization_id ORDER BY is_failing, place, next_attempt_at)
               + coalesce((SELECT sum(calls) FROM flying f WHERE f.organization_id = due.organization_id), 0) AS turn,
           row_number() OVER (PARTITION BY is_failing ORDER BY place, next_attempt_at) AS rank
    FROM due
)
SELECT id FROM ranked
WHERE turn <= %(per_organization)s AND (NOT is_failing OR rank <= %(failing)s)
ORDER BY is_failing, place, turn, next_attempt_at LIMIT %(room)s
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One signed call, ready to go; without headers where nobody can read the secret that signs it."""

    outcome: Outcome
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_failing: bool


class Courier:
    """One for each worker process. `step()` never waits long: it is the worker's loop."""

    def __init__(
        self, *, door: Door | None = None, clock: Clock = utc_now, chance: Chance = random.random, slots: int = SLOTS
    ) -> None:
        self._door, self._clock, self._chance, self._slots = door or webhook_door(), clock, chance, slots
        self._landed: queue.SimpleQueue[tuple[Parcel, Outcome]] = queue.SimpleQueue()
        self._flying: dict[str, Parcel] = {}

    def step(self) -> int:
        """Writes down what came back, sends what is due as far as there is room. More than 0 while something flies."""
        settle(self._collect(), clock=self._clock, chance=self._chance)
        failing = self._slots // 2 - sum(parcel.is_failing for parcel in self._flying.values())
        for parcel in claim(room=self._slots - len(self._flying), failing=failing, now=self._clock()):
            self._flying[parcel.outcome.delivery_id] = parcel
            name = f"webhook {parcel.outcome.delivery_id}"
            threading.Thread(target=self._carry, args=(parcel,), name=name, daemon=True).start()
        _under_way.set(len(self._flying))
        return len(self._flying)

    def _collect(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        wait_s = _LOOK_AGAIN_S if self._flying else 0.0
        while True:
            try:
                parcel, outcome = self._landed.get(timeout=wait_s) if wait_s else self._landed.get_nowait()
            except queue.Empty:
                return outcomes
            wait_s = 0.0
            self._flying.pop(parcel.outcome.delivery_id, None)
            (_delivered if outcome.is_success else _failed).inc()
            outcomes.append(outcome)

    def _carry(self, parcel: Parcel) -> None:
        """What nobody foresaw is this delivery's failure and a line in the log; the others go on."""
        outcome = replace(parcel.outcome, error="internal_error")
        try:
            outcome = call(parcel, self._door)
        finally:
            self._landed.put((parcel, outcome))


def courier_step() -> Callable[[], int]:
    """For the worker: the door and the threads begin with the first delivery."""
    return Courier().step


@transaction.atomic
def claim(*, room: int, failing: int, now: datetime) -> list[Parcel]:
    """Leases what goes next, in turn for every webhook; of several workers one at a time."""
    if room <= 0:
        return []
    limits = {"per_webhook": PER_WEBHOOK, "per_organization": PER_ORGANIZATION, "failing": max(failing, 0)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_CLAIM, {"now": now, "room": room, **limits})
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    rows = WebhookDelivery.objects.across_organizations()
    # Whoever disables a webhook just now holds its deliveries: they are passed over, never waited for.
    free = rows.filter(id__in=ids, status=DeliveryStatus.PENDING).select_for_update(of=("self",), skip_locked=True)
    order = {delivery_id: place for place, delivery_id in enumerate(ids)}
    chosen = sorted(free.select_related("webhook"), key=lambda delivery: order[delivery.id])
    leased = rows.filter(id__in=[delivery.id for delivery in chosen])
    leased.update(leased_until=now + LEASE, next_attempt_at=now + LEASE)
    return [_parcel(delivery, now) for delivery in chosen]


def call(parcel: Parcel, door: Door) -> Outcome:
    """A receiver that refuses, fails or is not there is an outcome."""
    if not parcel.headers:
        return replace(parcel.outcome, error="secret_unreadable")
    began = time.perf_counter()
    found: dict[str, Any]
    try:
        answer = door.fetch(
            "POST", parcel.outcome.url, headers=parcel.headers, body=parcel.body, first_bytes=EXCERPT_BYTES
        )
        found = {
            "status": answer.status,
            "excerpt": answer.body,
            "retry_after": answer.header("retry-after")[:64],
        }
    except BrokleError as error:
        found = {"error": error.code}
    return replace(parcel.outcome, duration_ms=round((time.perf_counter() - began) * 1000), **found)


def _parcel(delivery: WebhookDelivery, now: datetime) -> Parcel:
    webhook, body = delivery.webhook, delivery.body.encode()
    outcome = Outcome(delivery.id, delivery.organization_id, delivery.attempts, webhook.url, now, 0)
    return Parcel(outcome, _headers(delivery, body, now), body, webhook.failing_since is not None)


def _headers(delivery: WebhookDelivery, body: bytes, now: datetime) -> tuple[tuple[str, str], ...]:
    try:
        keys = secrets_of(delivery.webhook, now=now)
    except UnableToUnseal:
        log.error("webhook secret unreadable", extra={"webhook_id": delivery.webhook_id})  # noqa: TRY400 - it says all
        return ()
    return (
        ("content-type", "application/json"),
        ("user-agent", "Brokle-Webhooks/1"),
        *signed_headers(message_id=delivery.event_id, at=now, body=body, keys=keys),
    )
