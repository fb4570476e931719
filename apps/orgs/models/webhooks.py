from django.db import models
from django.db.models.functions import Now

from apps.orgs.models.organizations import Organization
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_webhook_id() -> str:
    return new_id("whk")


def new_delivery_id() -> str:
    return new_id("dlv")


def new_attempt_id() -> str:
    return new_id("wat")


class DisabledReason(models.TextChoices):
    BY_HAND = "by_hand"
    FAILING = "failing"
    GONE = "gone"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Webhook(models.Model):
    """An address that is told of events; an empty list of types means all. Its secrets are sealed.

    `failing_since` is the first failure after the last success.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_webhook_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason.choices, blank=True)
    failing_since = models.DateTimeField(null=True)
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_secret_until = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Webhook"]()

    class Meta:
        db_table = "webhooks"
        indexes = [models.Index(name="webhooks_by_organization", fields=["organization", "-id"])]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One event for one webhook. `body` is what is sent, the same bytes at every attempt.

    `attempts` counts them all, `tries` those since it began or was replayed. While `leased_until` lies ahead an attempt
    is under way; when its worker dies, the lease runs out and the delivery is due again.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_delivery_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="+")
    event_id = models.CharField(max_length=40)
    event = models.CharField(max_length=80)
    body = models.TextField()
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["WebhookDelivery"]()

    class Meta:
        db_table = "webhook_deliveries"
        constraints = [models.UniqueConstraint(name="webhook_deliveries_once", fields=["webhook", "event_id"])]
        indexes = [
            models.Index(name="webhook_deliveries_log", fields=["webhook", "-id"]),
            models.Index(
                name="webhook_deliveries_due",
                fields=["webhook", "next_attempt_at"],
                condition=models.Q(status="pending"),
            ),
            models.Index(
                name="webhook_deliveries_leased",
                fields=["leased_until"],
                condition=models.Q(leased_until__isnull=False),
            ),
            models.Index(name="webhook_deliveries_by_age", fields=["created_at"]),
        ]


class WebhookAttempt(models.Model):
    """One call and what came back, at most the beginning of it."""

    id = models.CharField(max_length=40, primary_key=True, default=new_attempt_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    url = models.CharField(max_length=2000)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_excerpt = models.TextField(blank=True)
    error = models.CharField(max_length=200, blank=True)

    objects = OrganizationManager["WebhookAttempt"]()

    class Meta:
        db_table = "webhook_attempts"
        constraints = [models.UniqueConstraint(name="webhook_attempts_once", fields=["delivery", "number"])]
