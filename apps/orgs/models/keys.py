from django.db import models
from django.db.models.functions import Now

from apps.orgs.models.organizations import Environment, Organization, Project
from brokle.ground.tenancy import OrganizationManager


class BudgetWindow(models.TextChoices):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class ApiKey(models.Model):
    """Only the HMAC of a key is kept; `prefix` and `last_four` are what people recognise it by.

    Empty lists of models, addresses and origins allow all. A key being rotated out names its successor and expires.
    """

    id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=120)
    hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=40)
    last_four = models.CharField(max_length=4)
    scopes = models.JSONField()
    allowed_models = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list)
    allowed_origins = models.JSONField(default=list)
    requests_per_minute = models.PositiveIntegerField(null=True)
    tokens_per_minute = models.PositiveIntegerField(null=True)
    budget_usd_micros = models.PositiveBigIntegerField(null=True)
    budget_window = models.CharField(max_length=8, choices=BudgetWindow.choices, default=BudgetWindow.MONTH)
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    rotated_to = models.CharField(max_length=40, blank=True)

    objects = OrganizationManager["ApiKey"]()

    class Meta:
        db_table = "api_keys"
        indexes = [models.Index(name="api_keys_by_environment", fields=["organization", "environment", "-id"])]

    def __str__(self) -> str:
        return self.hint

    @property
    def hint(self) -> str:
        return f"{self.prefix}…{self.last_four}"
