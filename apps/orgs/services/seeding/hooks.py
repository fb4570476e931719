"""Webhooks with a log of deliveries: what came of each event, without calling anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from apps.orgs.models import DeliveryStatus, DisabledReason, Organization, Webhook, WebhookAttempt, WebhookDelivery
from apps.orgs.services.deliveries import PAUSES_S, RETRY_FOR, body_of
from apps.orgs.services.seeding.chronicle import Chronicle, Happening
from apps.orgs.services.seeding.people import Person
from apps.orgs.services.signatures import new_secret, seal
from apps.orgs.services.webhooks import facts_of

_ACCEPTED: Final = '{"ok": true}'


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    text: str


OK: Final = Answer(200, _ACCEPTED)
BUSY: Final = Answer(503, "Service Unavailable: upstream connect error")
GONE: Final = Answer(410, '{"error": "this integration was removed"}')


def make_webhook(
    chronicle: Chronicle,
    at: datetime,
    organization: Organization,
    *,
    url: str,
    description: str,
    by: Person,
    event_types: Sequence[str] = (),
) -> Webhook:
    webhook = Webhook(
        id=chronicle.new_id("whk", at),
        organization=organization,
        url=url,
        description=description,
        event_types=sorted(event_types),
        created_by=by.user_id,
        created_at=at,
    )
    webhook.secret = seal(new_secret(), webhook_id=webhook.id)
    webhook.save(force_insert=True)
    chronicle.tell(at, "webhook.created", webhook, by=by, after=facts_of(webhook))
    return webhook


def rotate_secret(chronicle: Chronicle, at: datetime, webhook: Webhook, *, by: Person, overlap: timedelta) -> None:
    webhook.previous_secret, webhook.previous_secret_until = webhook.secret, at + overlap
    webhook.secret = seal(new_secret(), webhook_id=webhook.id)
    webhook.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    after = {"previous_secret_until": webhook.previous_secret_until.isoformat()}
    chronicle.tell(at, "webhook.secret_rotated", webhook, by=by, after=after)


def switch_off(chronicle: Chronicle, at: datetime, webhook: Webhook) -> None:
    """The receiver said that it is gone."""
    webhook.is_enabled, webhook.disabled_at, webhook.disabled_reason = False, at, DisabledReason.GONE
    webhook.save(update_fields=["is_enabled", "disabled_at", "disabled_reason"])
    chronicle.tell(at, "webhook.disabled", webhook, by=None, after={"reason": DisabledReason.GONE})


def fail_since(webhook: Webhook, at: datetime) -> None:
    webhook.failing_since = at
    webhook.save(update_fields=["failing_since"])


def listens(webhook: Webhook, event: Happening) -> bool:
    return not webhook.event_types or event.action in webhook.event_types


def tries_until(now: datetime, event: Happening) -> int:
    """How often a delivery that keeps failing was tried by now."""
    waited_s = (now - event.at).total_seconds()
    return sum(sum(PAUSES_S[:number]) < waited_s for number in range(len(PAUSES_S)))


def deliver(chronicle: Chronicle, webhook: Webhook, event: Happening, answers: Sequence[Answer]) -> None:
    """One call for each answer, at the pauses that are usual; the last one decides."""
    at, calls = event.at + timedelta(milliseconds=chronicle.chance.randrange(200, 900)), []
    for number, answer in enumerate(answers, start=1):
        calls.append((number, at, answer))
        at += timedelta(seconds=PAUSES_S[number - 1])
    delivery = WebhookDelivery.objects.create(
        id=chronicle.new_id("dlv", event.at),
        **_whose(webhook),
        webhook=webhook,
        event_id=event.event_id,
        event=event.action,
        body=_body(webhook, event),
        attempts=len(calls),
        tries=len(calls),
        began_at=event.at,
        created_at=event.at,
        **_outcome(calls[-1], next_at=max(at, chronicle.now + timedelta(minutes=9)), deadline=event.at + RETRY_FOR),
    )
    for number, called_at, answer in calls:
        _attempt(chronicle, webhook, delivery, number, called_at, answer)


def _outcome(last: tuple[int, datetime, Answer], *, next_at: datetime, deadline: datetime) -> dict[str, Any]:
    _number, at, answer = last
    found: dict[str, Any] = {"response_status": answer.status}
    if answer is OK:
        return {**found, "status": DeliveryStatus.DELIVERED, "finished_at": at, "next_attempt_at": at}
    if answer is GONE:
        return {**found, "status": DeliveryStatus.DEAD, "finished_at": at, "next_attempt_at": at}
    return {**found, "next_attempt_at": min(next_at, deadline)}


def _attempt(
    chronicle: Chronicle, webhook: Webhook, delivery: WebhookDelivery, number: int, at: datetime, answer: Answer
) -> None:
    WebhookAttempt.objects.create(
        id=chronicle.new_id("wat", at),
        **_whose(webhook),
        delivery=delivery,
        number=number,
        at=at,
        duration_ms=chronicle.chance.randrange(38, 420),
        url=webhook.url,
        response_status=answer.status,
        response_excerpt=answer.text,
    )


def _whose(webhook: Webhook) -> dict[str, str]:
    return {"organization_id": webhook.organization_id}


def _body(webhook: Webhook, event: Happening) -> str:
    at = event.at.isoformat(timespec="milliseconds")
    return body_of(event.event_id, event.action, at, webhook.organization_id, dict(event.told))
