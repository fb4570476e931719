from typing import Final

from django.conf import settings
from django.db import models

from apps.orgs.models.members import Role
from apps.orgs.models.organizations import Organization
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_support_access_id() -> str:
    return new_id("sup")


class SupportLevel(models.TextChoices):
    LOOK = "look"
    HELP = "help"


_ROLES: Final = {SupportLevel.LOOK: Role.VIEWER, SupportLevel.HELP: Role.ADMIN}


class SupportAccess(models.Model):
    """An operator inside an organization without being its member: for a reason, for a time, in its log.

    It counts until `expires_at` by the clock of each request; `ended_at` is set when it ends early, and for the record
    by whoever comes by afterwards.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_support_access_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    level = models.CharField(max_length=8, choices=SupportLevel.choices)
    reason = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = OrganizationManager["SupportAccess"]()

    class Meta:
        db_table = "support_accesses"
        constraints = [
            models.UniqueConstraint(
                name="support_accesses_one_open",
                fields=["user", "organization"],
                condition=models.Q(ended_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(
                name="support_accesses_open", fields=["expires_at"], condition=models.Q(ended_at__isnull=True)
            ),
            models.Index(name="support_accesses_by_place", fields=["organization", "-id"]),
        ]

    @property
    def role(self) -> str:
        return _ROLES[SupportLevel(self.level)]
