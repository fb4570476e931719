from django.db import models
from django.db.models.functions import Now

from apps.routing.models.providers import Owner
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_route_id() -> str:
    return new_id("rte")


class Strategy(models.TextChoices):
    FALLBACK = "fallback"
    WEIGHTED = "weighted"
    LATENCY = "latency"
    COST = "cost"
    BUSY = "busy"
    USAGE = "usage"
    QUALITY = "quality"


class Route(models.Model):
    """A name to ask for instead of a model. What it does is in its versions; `version` is the one in force."""

    id = models.CharField(max_length=40, primary_key=True, default=new_route_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("orgs.Project", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=1)
    owner = models.CharField(max_length=10, choices=Owner.choices, default=Owner.PEOPLE)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Route"]()

    class Meta:
        db_table = "routes"
        constraints = [models.UniqueConstraint(name="routes_name_once", fields=["project", "name"])]

    def __str__(self) -> str:
        return self.name


class RouteVersion(models.Model):
    """Never changed: going back to one makes a new one like it."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["RouteVersion"]()

    class Meta:
        db_table = "route_versions"
        constraints = [models.UniqueConstraint(name="route_versions_number_once", fields=["route", "number"])]

    def __str__(self) -> str:
        return f"{self.route_id} {self.number}"
