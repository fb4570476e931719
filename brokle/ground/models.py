"""What every room stands on: outbox, idempotency keys, audit entries, usage records, snapshot versions, schedules."""

from django.db import models
from django.db.models.functions import Now


class OutboxEntry(models.Model):
    """A promise made in the same transaction as the change it tells of; the worker keeps it at least once."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField(max_length=40, unique=True)
    topic = models.CharField(max_length=80)
    payload = models.JSONField()
    organization_id = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "outbox"
        indexes = [
            models.Index(
                name="outbox_due",
                fields=["next_attempt_at"],
                condition=models.Q(delivered_at__isnull=True, dead_at__isnull=True),
            ),
        ]


class IdempotencyKey(models.Model):
    """The first answer to a POST, replayed to whoever sends the same key with the same body."""

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    method_path = models.CharField(max_length=400)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_key"
        constraints = [models.UniqueConstraint(name="idempotency_key_once", fields=["scope", "key"])]
        indexes = [models.Index(name="idempotency_expiry", fields=["expires_at"])]


class AuditEntry(models.Model):
    """Who changed what, written in the transaction of the change. `hash` chains each organization's entries."""

    id = models.BigAutoField(primary_key=True)
    entry_id = models.CharField(max_length=40, unique=True)
    organization_id = models.CharField(max_length=40, blank=True)
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "audit_entry"
        constraints = [models.UniqueConstraint(name="audit_sequence_once", fields=["organization_id", "sequence"])]
        # Lists go by `entry_id`, newest first, and end after a page.
        indexes = [
            models.Index(name="audit_by_time", fields=["organization_id", "-at"]),
            models.Index(name="audit_by_id", fields=["organization_id", "-entry_id"]),
            models.Index(name="audit_by_actor", fields=["organization_id", "actor_id", "-entry_id"]),
            models.Index(name="audit_by_target", fields=["organization_id", "target_id", "-entry_id"]),
        ]


class UsageRecord(models.Model):
    """What a call used and cost; inserted by the shipper, idempotent by id; billing rates it.

    `is_own_key`: the caller brought the provider's key, so that its cost is nobody's here to pay.
    """

    id = models.CharField(max_length=40, primary_key=True)
    organization_id = models.CharField(max_length=40)
    project_id = models.CharField(max_length=40)
    environment_id = models.CharField(max_length=40)
    key_id = models.CharField(max_length=40, blank=True)
    meter = models.CharField(max_length=60)
    quantity = models.BigIntegerField()
    cost_usd_nanos = models.BigIntegerField(default=0)
    is_own_key = models.BooleanField(default=False, db_default=False)
    subject = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "usage_record"
        indexes = [models.Index(name="usage_by_meter", fields=["organization_id", "meter", "at"])]


class SnapshotVersion(models.Model):
    """One row: the last version the compiler gave out, and the epoch that tells a rebuilt Redis from this one."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)
    epoch = models.CharField(max_length=40)

    class Meta:
        db_table = "snapshot_version"
        constraints = [models.CheckConstraint(name="snapshot_version_single", condition=models.Q(id=1))]


class SnapshotChange(models.Model):
    """An object the compiler must look at again; revocations are marked urgent and travel first."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=120)
    urgent = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "snapshot_change"
        indexes = [models.Index(name="snapshot_change_order", fields=["-urgent", "id"])]


class Schedule(models.Model):
    """A task that beat sends when it is due; the leader holds an advisory lock."""

    name = models.CharField(max_length=80, primary_key=True)
    task = models.CharField(max_length=200)
    queue = models.CharField(max_length=20, default="default")
    every_seconds = models.PositiveIntegerField()
    enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField(db_default=Now())
    last_run_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "schedule"


class Installation(models.Model):
    """One row: what this installation is. The check value refuses a wrong secret key at start."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    installation_id = models.CharField(max_length=40)
    secret_check = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    onboarded_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "installation"
        constraints = [models.CheckConstraint(name="installation_single", condition=models.Q(id=1))]
