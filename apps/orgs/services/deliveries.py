"""Deliveries of events to webhooks: one for each in the transaction of the outbox, tried for three days, then kept."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.orgs.models import DeliveryStatus, DisabledReason, Webhook, WebhookAttempt, WebhookDelivery
from apps.orgs.services.webhooks import give_up
from brokle.ground.services import Actor, audit, wake
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, RateLimited
from brokle.kernel.ids import new_id

CHANNEL: Final = "brokle_webhooks"
TEST_EVENT: Final = "webhook.test"
RETRY_FOR: Final = timedelta(days=3)
FAILING_MAX: Final = timedelta(days=3)
KEPT_FOR: Final = timedelta(days=30)
EXCERPT_BYTES: Final = 2048
_MINUTE, _HOUR = 60, 3600
# The mean of each pause; together about 71 hours.
PAUSES_S: Final = (
    *(5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 24 * _HOUR),
)
_RETRY_AFTER_MAX_S: Final = 24 * _HOUR
_TESTS_A_MINUTE: Final = 10

Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `seen` is the count of attempts before it: an outcome counts once."""

    delivery_id: str
    organization_id: str
    seen: int
    url: str
    at: datetime
    duration_ms: int
    status: int | None = None
    excerpt: bytes = b""
    error: str = ""
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@transaction.atomic
def deliver_event(payload: dict[str, Any], *, clock: Clock = utc_now) -> None:
    """The outbox handler: a delivery for every webhook that listens. Called twice it adds nothing."""
    organization_id = payload.get("organization_id", "")
    if not organization_id:
        return
    event = payload["event"]
    listening = Webhook.objects.of(organization_id).filter(
        Q(event_types=[]) | Q(event_types__contains=[event]), is_enabled=True
    )
    body = body_of(payload["event_id"], event, payload["at"], organization_id, payload["data"])
    rows = [_delivery(webhook, payload["event_id"], event, body, clock()) for webhook in listening]
    if rows:
        WebhookDelivery.objects.of(organization_id).bulk_create(rows, ignore_conflicts=True)
        wake(CHANNEL)


@transaction.atomic
def send_test(*, webhook: Webhook, actor: Actor, clock: Clock = utc_now) -> WebhookDelivery:
    """A message that says nothing happened, signed and delivered like any other."""
    now = clock()
    _demand_enabled(webhook)
    recent = WebhookDelivery.objects.of(webhook.organization_id).filter(webhook_id=webhook.id, event=TEST_EVENT)
    if recent.filter(began_at__gt=now - timedelta(minutes=1)).count() >= _TESTS_A_MINUTE:
        raise RateLimited(_("That was a lot of test messages; wait a minute."), retry_after_s=60)
    event_id = new_id("evt")
    at = now.isoformat(timespec="milliseconds")
    body = body_of(event_id, TEST_EVENT, at, webhook.organization_id, {"webhook_id": webhook.id})
    delivery = _delivery(webhook, event_id, TEST_EVENT, body, now)
    delivery.save(force_insert=True)
    _record(delivery, actor, "webhook.tested")
    wake(CHANNEL)
    return delivery


@transaction.atomic
def replay(*, delivery: WebhookDelivery, actor: Actor, clock: Clock = utc_now) -> WebhookDelivery:
    """Again from the start, now, under the same `webhook-id`; also what was delivered already."""
    delivery = WebhookDelivery.objects.of(delivery.organization_id).select_for_update().get(id=delivery.id)
    _demand_enabled(Webhook.objects.of(delivery.organization_id).get(id=delivery.webhook_id))
    now = clock()
    if delivery.leased_until is not None and delivery.leased_until > now:
        raise Conflict(_("This delivery is under way; look again in a moment."))
    delivery.status, delivery.tries = DeliveryStatus.PENDING, 0
    delivery.began_at = delivery.next_attempt_at = now
    delivery.finished_at, delivery.error = None, ""
    delivery.save(update_fields=["status", "tries", "began_at", "next_attempt_at", "finished_at", "error"])
    _record(delivery, actor, "webhook.replayed")
    wake(CHANNEL)
    return delivery


def settle(outcomes: Sequence[Outcome], *, clock: Clock = utc_now, chance: Chance = random.random) -> None:
    for outcome in outcomes:
        _settle(outcome, clock, chance)


@transaction.atomic
def _settle(outcome: Outcome, clock: Clock, chance: Chance) -> None:
    rows = WebhookDelivery.objects.of(outcome.organization_id).filter(id=outcome.delivery_id)
    # The webhook first, as whoever changes or deletes it does.
    hooks = Webhook.objects.of(outcome.organization_id).filter(id__in=rows.values("webhook_id"))
    webhook = hooks.select_for_update(no_key=True).first()
    delivery = rows.select_for_update().filter(attempts=outcome.seen).first()
    if webhook is None or delivery is None:
        return
    now = clock()
    delivery.attempts, delivery.tries = delivery.attempts + 1, delivery.tries + 1
    delivery.leased_until = None
    delivery.response_status, delivery.error = outcome.status, outcome.error
    WebhookAttempt.objects.create(
        organization_id=outcome.organization_id,
        delivery=delivery,
        number=delivery.attempts,
        at=outcome.at,
        duration_ms=outcome.duration_ms,
        url=outcome.url,
        response_status=outcome.status,
        response_excerpt=excerpt(outcome.excerpt),
        error=outcome.error,
    )
    if delivery.status == DeliveryStatus.PENDING or outcome.is_success:
        _decide(delivery, outcome, now, chance)
    delivery.save()
    _judge(webhook, outcome, now)


def _decide(delivery: WebhookDelivery, outcome: Outcome, now: datetime, chance: Chance) -> None:
    """Delivered, given up, or when to try again: evenly spread between nothing and twice the mean pause."""
    deadline = delivery.began_at + RETRY_FOR
    is_last = delivery.tries > len(PAUSES_S) or now >= deadline
    if outcome.is_success or is_last or outcome.status == 410:
        delivery.status = DeliveryStatus.DELIVERED if outcome.is_success else DeliveryStatus.DEAD
        delivery.finished_at = now
        return
    pause_s = max(2 * PAUSES_S[delivery.tries - 1] * chance(), retry_after_seconds(outcome.retry_after, now))
    delivery.next_attempt_at = min(now + timedelta(seconds=pause_s), deadline)


def _judge(webhook: Webhook, outcome: Outcome, now: datetime) -> None:
    """What the outcome says about the webhook itself."""
    failing_since = None if outcome.is_success else webhook.failing_since or outcome.at
    if failing_since != webhook.failing_since:
        webhook.failing_since = failing_since
        webhook.save(update_fields=["failing_since"])
    if outcome.status == 410:
        give_up(webhook=webhook, reason=DisabledReason.GONE, clock=lambda: now)
    elif failing_since is not None and now - failing_since >= FAILING_MAX:
        give_up(webhook=webhook, reason=DisabledReason.FAILING, clock=lambda: now)


def retry_after_seconds(text: str, now: datetime) -> float:
    """Seconds or a date (RFC 9110); nonsense asks for nothing, and nobody asks for more than a day."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), _RETRY_AFTER_MAX_S))
    try:
        asked = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(asked, 0.0), float(_RETRY_AFTER_MAX_S))


def excerpt(raw: bytes) -> str:
    """The beginning of an answer, as text that PostgreSQL and a page can hold."""
    return raw[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def forget_old(*, clock: Clock = utc_now) -> int:
    """Deliveries that ended and are older than a month, with their attempts."""
    rows = WebhookDelivery.objects.across_organizations().filter(created_at__lt=clock() - KEPT_FOR)
    return rows.exclude(status=DeliveryStatus.PENDING).delete()[0]


def _delivery(webhook: Webhook, event_id: str, event: str, body: str, now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        organization_id=webhook.organization_id,
        webhook=webhook,
        event_id=event_id,
        event=event,
        body=body,
        began_at=now,
        next_attempt_at=now,
    )


def body_of(event_id: str, event: str, at: str, organization_id: str, data: dict[str, Any]) -> str:
    content = {"type": event, "timestamp": at, "id": event_id, "organization_id": organization_id, "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _demand_enabled(webhook: Webhook) -> None:
    if not webhook.is_enabled:
        raise Conflict(_("This webhook is disabled; enable it first."))


def _record(delivery: WebhookDelivery, actor: Actor, action: str) -> None:
    audit(
        organization_id=delivery.organization_id,
        actor=actor,
        action=action,
        target_kind="webhook",
        target_id=delivery.webhook_id,
        after={"delivery": delivery.id, "event": delivery.event},
    )
