from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now

from apps.orgs.models.organizations import Organization, Project
from brokle.ground.tenancy import OrganizationManager
from brokle.kernel import access
from brokle.kernel.ids import new_id


def new_membership_id() -> str:
    return new_id("mem")


def new_project_membership_id() -> str:
    return new_id("pmm")


def new_invitation_id() -> str:
    return new_id("inv")


class Role(models.TextChoices):
    OWNER = access.OWNER
    ADMIN = access.ADMIN
    DEVELOPER = access.DEVELOPER
    VIEWER = access.VIEWER
    BILLING = access.BILLING
    CONSUMER = access.CONSUMER


class Membership(models.Model):
    id = models.CharField(max_length=40, primary_key=True, default=new_membership_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Membership"]()

    class Meta:
        db_table = "memberships"
        constraints = [models.UniqueConstraint(name="memberships_once", fields=["organization", "user"])]


class ProjectMembership(models.Model):
    """A role that counts in one project, beside the organization's."""

    id = models.CharField(max_length=40, primary_key=True, default=new_project_membership_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="projects")
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["ProjectMembership"]()

    class Meta:
        db_table = "project_memberships"
        constraints = [models.UniqueConstraint(name="project_memberships_once", fields=["project", "membership"])]


class Invitation(models.Model):
    """Only the hash of its token is kept. Open until accepted, revoked or past its time."""

    id = models.CharField(max_length=40, primary_key=True, default=new_invitation_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=20, choices=Role.choices)
    language = models.CharField(max_length=8, default="en")
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.CharField(max_length=40, blank=True)
    revoked_at = models.DateTimeField(null=True)

    objects = OrganizationManager["Invitation"]()

    class Meta:
        db_table = "invitations"
        constraints = [
            models.UniqueConstraint(
                name="invitations_one_open",
                fields=["organization", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
            ),
            models.CheckConstraint(name="invitations_email_lower", condition=models.Q(email=Lower("email"))),
        ]
