"""Webhook endpoints of an organization: made, changed, rotated, disabled, deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import DeliveryStatus, DisabledReason, Webhook, WebhookDelivery
from apps.orgs.services.limits import LimitReached
from apps.orgs.services.organizations import lock
from apps.orgs.services.records import note
from apps.orgs.services.signatures import new_secret, seal
from brokle.edge.egress import EgressRefused, Limits, Policy
from brokle.edge.egress.door import Door
from brokle.ground.services import SYSTEM, Actor, announce
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Invalid, UpstreamFailed, UpstreamTimedOut
from brokle.kernel.extensions import find_event_type
from brokle.settings.env import env

WEBHOOKS_MAX: Final = 20
SECRET_OVERLAP: Final = timedelta(hours=24)
LIMITS: Final = Limits(connect_s=3.0, first_byte_s=10.0, idle_s=10.0, total_s=10.0, body_bytes=64 * 1024)


@dataclass(frozen=True, slots=True)
class Revealed:
    """The only moment a secret is seen whole."""

    webhook: Webhook
    secret: str


@lru_cache(maxsize=1)
def webhook_door() -> Door:
    """The operator's policy without circuit breakers: one tenant's failures at a shared host are not another's."""
    return Door(Policy.from_environment(env), limits=LIMITS, name="webhook-door")


@transaction.atomic
def create_webhook(
    *,
    organization_id: str,
    url: str,
    actor: Actor,
    description: str = "",
    event_types: Sequence[str] = (),
    door: Door | None = None,
) -> Revealed:
    _check_url(url, door)
    _check_types(event_types)
    lock(organization_id)
    if Webhook.objects.of(organization_id).count() >= WEBHOOKS_MAX:
        raise LimitReached(_("An organization has at most %(limit)d webhooks.") % {"limit": WEBHOOKS_MAX})
    webhook = Webhook(
        organization_id=organization_id,
        url=url,
        description=description,
        event_types=sorted(set(event_types)),
        created_by=actor.id,
    )
    secret = new_secret()
    webhook.secret = seal(secret, webhook_id=webhook.id)
    webhook.save(force_insert=True)
    note(webhook, actor, "webhook.created", after=facts_of(webhook))
    return Revealed(webhook, secret)


@transaction.atomic
def update_webhook(
    *,
    webhook: Webhook,
    actor: Actor,
    url: str | None = None,
    description: str | None = None,
    event_types: Sequence[str] | None = None,
    is_enabled: bool | None = None,
    clock: Clock = utc_now,
    door: Door | None = None,
) -> Webhook:
    if url is not None and url != webhook.url:
        _check_url(url, door)
    _check_types(event_types or ())
    webhook = _locked(webhook)
    before, url_before = facts_of(webhook), webhook.url
    webhook.url = webhook.url if url is None else url
    if event_types is not None:
        webhook.event_types = sorted(set(event_types))
    webhook.description = webhook.description if description is None else description
    if is_enabled is not None and is_enabled != webhook.is_enabled:
        if is_enabled:
            webhook.is_enabled, webhook.disabled_at, webhook.disabled_reason = True, None, ""
            webhook.failing_since = None
        else:
            _switch_off(webhook, DisabledReason.BY_HAND, clock())
    after = facts_of(webhook)
    if (after, webhook.url) == (before, url_before):
        return webhook
    webhook.save()
    note(webhook, actor, "webhook.updated", before=before, after=after)
    return webhook


@transaction.atomic
def rotate_secret(*, webhook: Webhook, actor: Actor, clock: Clock = utc_now) -> Revealed:
    """Both secrets sign for a day, so that the receiver can change over in peace."""
    webhook = _locked(webhook)
    secret = new_secret()
    webhook.previous_secret = bytes(webhook.secret)
    webhook.previous_secret_until = clock() + SECRET_OVERLAP
    webhook.secret = seal(secret, webhook_id=webhook.id)
    webhook.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    after = {"previous_secret_until": webhook.previous_secret_until.isoformat()}
    note(webhook, actor, "webhook.secret_rotated", after=after)
    return Revealed(webhook, secret)


@transaction.atomic
def delete_webhook(*, webhook: Webhook, actor: Actor) -> None:
    webhook = _locked(webhook)
    note(webhook, actor, "webhook.deleted", before=facts_of(webhook))
    webhook.delete()


@transaction.atomic
def give_up(*, webhook: Webhook, reason: DisabledReason, clock: Clock = utc_now) -> None:
    """Brokle's own decision: the receiver said it is gone, or nothing but failures came for days."""
    webhook = _locked(webhook)
    if not webhook.is_enabled:
        return
    _switch_off(webhook, reason, clock())
    webhook.save(update_fields=["is_enabled", "disabled_at", "disabled_reason"])
    note(webhook, SYSTEM, "webhook.disabled", after={"reason": reason})
    data = {"id": webhook.id, "name": host_of(webhook.url), "reason": reason}
    announce(organization_id=webhook.organization_id, event="webhook.disabled", data=data)


def host_of(url: str) -> str:
    """Paths and queries of such addresses are often secrets; the host is what may be told."""
    return urlsplit(url).hostname or ""


def _switch_off(webhook: Webhook, reason: DisabledReason, now: datetime) -> None:
    """What waits is given up too, and can be replayed once the webhook is enabled again."""
    webhook.is_enabled, webhook.disabled_at, webhook.disabled_reason = False, now, reason
    waiting = WebhookDelivery.objects.of(webhook.organization_id).filter(
        webhook_id=webhook.id, status=DeliveryStatus.PENDING
    )
    waiting.update(status=DeliveryStatus.DEAD, finished_at=now, leased_until=None, error="webhook_disabled")


def _locked(webhook: Webhook) -> Webhook:
    return Webhook.objects.of(webhook.organization_id).select_for_update().get(id=webhook.id)


def _check_url(url: str, door: Door | None) -> None:
    """A name that has no address now may have one later; each call is judged again."""
    try:
        (door or webhook_door()).check(url)
    except EgressRefused:
        text = _("This address may not be called. It needs https, a public host and no user name or password.")
        raise Invalid(text, field="url") from None
    except (UpstreamFailed, UpstreamTimedOut):
        return


def _check_types(event_types: Sequence[str]) -> None:
    unknown = sorted(event for event in event_types if find_event_type(event) is None)
    if unknown:
        raise Invalid(_("There is no event %(name)s.") % {"name": unknown[0][:80]}, field="event_types")


def facts_of(webhook: Webhook) -> dict[str, Any]:
    return {
        "host": host_of(webhook.url),
        "description": webhook.description,
        "event_types": webhook.event_types,
        "is_enabled": webhook.is_enabled,
    }
