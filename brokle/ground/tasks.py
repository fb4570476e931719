"""The ground floor's own periodic work. Every task may run twice."""

from datetime import timedelta

from celery import shared_task

from brokle.kernel.clock import utc_now


@shared_task(name="ground.forget_expired")
def forget_expired() -> int:
    """Idempotency keys past their day, outbox rows delivered a week ago."""
    from brokle.ground.models import IdempotencyKey, OutboxEntry

    now = utc_now()
    keys, _ = IdempotencyKey.objects.filter(expires_at__lt=now).delete()
    rows, _ = OutboxEntry.objects.filter(delivered_at__lt=now - timedelta(days=7)).delete()
    return keys + rows
