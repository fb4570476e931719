from django.db import models
from django.db.models.functions import Now

from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_recosting_id() -> str:
    return new_id("rcs")


class RecostingStatus(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Recosting(models.Model):
    """Past requests of an environment charged again, by the prices that hold now. Asked for by somebody, each time."""

    id = models.CharField(max_length=40, primary_key=True, default=new_recosting_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    environment = models.ForeignKey("orgs.Environment", on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()
    provider = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=RecostingStatus.choices, default=RecostingStatus.WAITING)
    requests = models.PositiveBigIntegerField(default=0)
    unpriced = models.PositiveBigIntegerField(default=0)
    cost_before_usd_nanos = models.BigIntegerField(default=0)
    cost_after_usd_nanos = models.BigIntegerField(default=0)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = OrganizationManager["Recosting"]()

    class Meta:
        db_table = "recostings"

    def __str__(self) -> str:
        return self.id
