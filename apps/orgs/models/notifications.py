from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from apps.orgs.models.organizations import Organization
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_notification_id() -> str:
    return new_id("ntf")


class Notification(models.Model):
    """An event told to one person. Not shown: they wanted the e-mail alone."""

    id = models.CharField(max_length=40, primary_key=True, default=new_notification_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    event_id = models.CharField(max_length=40)
    event = models.CharField(max_length=80)
    about = models.CharField(max_length=254, blank=True)
    # What it leads to; that may be gone by now.
    subject_id = models.CharField(max_length=40, blank=True, db_default="")
    project_id = models.CharField(max_length=40, blank=True, db_default="")
    environment_id = models.CharField(max_length=40, blank=True, db_default="")
    is_shown = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    objects = OrganizationManager["Notification"]()

    class Meta:
        db_table = "notifications"
        constraints = [models.UniqueConstraint(name="notifications_once", fields=["user", "event_id"])]
        indexes = [
            models.Index(name="notifications_by_person", fields=["user", "-id"]),
            models.Index(
                name="notifications_unread",
                fields=["user", "organization"],
                condition=models.Q(read_at__isnull=True, is_shown=True),
            ),
            models.Index(name="notifications_by_age", fields=["created_at"]),
        ]


class NotificationPreference(models.Model):
    """What a person chose for a kind of event; None leaves it at the default."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    event = models.CharField(max_length=80)
    in_app = models.BooleanField(null=True)
    email = models.BooleanField(null=True)

    class Meta:
        db_table = "notification_preferences"
        constraints = [models.UniqueConstraint(name="notification_preferences_once", fields=["user", "event"])]
