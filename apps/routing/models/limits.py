from django.db import models
from django.db.models.functions import Now

from apps.routing.models.providers import Owner
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_limit_id() -> str:
    return new_id("lim")


class Subject(models.TextChoices):
    """Whose calls are counted together."""

    KEY = "key"
    USER = "user"
    ROUTE = "route"
    MODEL = "model"
    PROVIDER = "provider"
    PROJECT = "project"
    ORGANIZATION = "organization"


class Measured(models.TextChoices):
    REQUESTS = "requests"
    TOKENS = "tokens"
    PARALLEL = "parallel"
    USD = "usd"


class Window(models.TextChoices):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class UsageLimit(models.Model):
    """So much for each of its subject, or for the one that `only` names; dollars are in micro-units.

    Without a project it holds in all projects of the organization, and is counted across them. A soft budget is
    counted and refuses nobody. `told` is what was last told of each counter: the share of it, in percent.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_limit_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("orgs.Project", on_delete=models.CASCADE, related_name="+", null=True)
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=12, choices=Subject.choices)
    only = models.CharField(max_length=200, blank=True)
    measured = models.CharField(max_length=10, choices=Measured.choices)
    amount = models.BigIntegerField()
    window = models.CharField(max_length=6, choices=Window.choices, blank=True)
    is_soft = models.BooleanField(default=False, db_default=False)
    told = models.JSONField(default=dict, db_default={})
    owner = models.CharField(max_length=10, choices=Owner.choices, default=Owner.PEOPLE)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["UsageLimit"]()

    class Meta:
        db_table = "usage_limits"
        constraints = [
            models.UniqueConstraint(
                name="usage_limits_name_once", fields=["organization", "project", "name"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BudgetNotice(models.Model):
    """What was last told of a budget that is counted for each of many: `name` is its counter without the span."""

    name = models.CharField(max_length=300, primary_key=True)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    span = models.CharField(max_length=20)
    amount = models.BigIntegerField()
    percent = models.PositiveSmallIntegerField()
    told_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["BudgetNotice"]()

    class Meta:
        db_table = "budget_notices"

    def __str__(self) -> str:
        return self.name
