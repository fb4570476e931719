from datetime import datetime

from django.db import models
from django.db.models.functions import Lower, Now

from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_organization_id() -> str:
    return new_id("org")


def new_project_id() -> str:
    return new_id("prj")


def new_environment_id() -> str:
    return new_id("env")


class Organization(models.Model):
    """The two limits are the operator's word over the plan's; `purge_at` is the end of a deletion's grace."""

    id = models.CharField(max_length=40, primary_key=True, default=new_organization_id, editable=False)
    name = models.CharField(max_length=120)
    slug = models.CharField(max_length=60)
    plan = models.CharField(max_length=40, default="free")
    members_limit = models.PositiveIntegerField(null=True)
    projects_limit = models.PositiveIntegerField(null=True)
    suspended_at = models.DateTimeField(null=True)
    suspension_reason = models.CharField(max_length=300, blank=True)
    purge_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "organizations"
        constraints = [models.UniqueConstraint(Lower("slug"), name="organizations_slug_once")]
        indexes = [
            models.Index(name="organizations_to_purge", fields=["purge_at"], condition=models.Q(purge_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.suspended_at is None and self.purge_at is None

    def is_due_for_purge(self, now: datetime) -> bool:
        return self.purge_at is not None and self.purge_at <= now


class Project(models.Model):
    id = models.CharField(max_length=40, primary_key=True, default=new_project_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=120)
    slug = models.CharField(max_length=60)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Project"]()

    class Meta:
        db_table = "projects"
        constraints = [models.UniqueConstraint("organization", Lower("slug"), name="projects_slug_once")]

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """`is_live` marks where real users are; its keys say so in their form."""

    COLORS = ("ok", "warn", "bad", "idle", "accent")

    id = models.CharField(max_length=40, primary_key=True, default=new_environment_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=60)
    slug = models.CharField(max_length=60)
    color = models.CharField(max_length=20, default="ok")
    is_live = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Environment"]()

    class Meta:
        db_table = "environments"
        constraints = [models.UniqueConstraint("project", Lower("slug"), name="environments_slug_once")]

    def __str__(self) -> str:
        return self.name
