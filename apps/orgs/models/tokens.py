from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from brokle.kernel.ids import new_id


def new_token_id() -> str:
    return new_id("pat")


def new_grant_id() -> str:
    return new_id("dev")


class PersonalToken(models.Model):
    """Stands for a person on the management API and the command line. Only its HMAC is kept."""

    id = models.CharField(max_length=40, primary_key=True, default=new_token_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=40)
    last_four = models.CharField(max_length=4)
    is_read_only = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "personal_tokens"
        indexes = [models.Index(name="personal_tokens_by_person", fields=["user", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"


class DeviceGrant(models.Model):
    """A command line that waits for a person to say yes in the browser (RFC 8628)."""

    id = models.CharField(max_length=40, primary_key=True, default=new_grant_id, editable=False)
    device_hash = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=12, unique=True)
    client = models.CharField(max_length=120)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=40, blank=True)
    denied_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "device_grants"
