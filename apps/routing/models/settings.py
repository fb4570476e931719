from django.db import models
from django.db.models.functions import Now

from brokle.ground.tenancy import OrganizationManager


class GatewaySettings(models.Model):
    """What a project says of its whole gateway. Without a row all is as usual: callers bring no keys of their own."""

    project = models.OneToOneField("orgs.Project", on_delete=models.CASCADE, primary_key=True, related_name="+")
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    allows_own_keys = models.BooleanField(default=False, db_default=False)
    changed_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["GatewaySettings"]()

    class Meta:
        db_table = "gateway_settings"

    def __str__(self) -> str:
        return self.project_id
