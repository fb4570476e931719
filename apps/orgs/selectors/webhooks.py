"""Webhooks of an organization and what was delivered to them."""

from django.db.models import QuerySet

from apps.orgs.models import Webhook, WebhookAttempt, WebhookDelivery


def webhooks_of(organization_id: str) -> QuerySet[Webhook]:
    return Webhook.objects.of(organization_id)


def deliveries_of(organization_id: str, *, webhook_id: str) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.of(organization_id).filter(webhook_id=webhook_id)


def attempts_of(organization_id: str, *, delivery_id: str) -> QuerySet[WebhookAttempt]:
    return WebhookAttempt.objects.of(organization_id).filter(delivery_id=delivery_id).order_by("-number")
