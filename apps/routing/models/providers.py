from django.db import models
from django.db.models.functions import Now

from brokle.ground.tenancy import OrganizationManager
from brokle.kernel.ids import new_id


def new_provider_id() -> str:
    return new_id("prv")


def new_credential_id() -> str:
    return new_id("crd")


def new_model_id() -> str:
    return new_id("mdl")


class Owner(models.TextChoices):
    """Who may change it: people, or the configuration file, which the console then shows as read-only."""

    PEOPLE = "people"
    FILE = "file"


class Provider(models.Model):
    """Where models live. `name` is what callers write before the slash; without a project all of them share it.

    `is_open` lets through models that nobody listed, unpriced.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_provider_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("orgs.Project", on_delete=models.CASCADE, related_name="+", null=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    base_url = models.CharField(max_length=500)
    is_open = models.BooleanField(default=True)
    is_enabled = models.BooleanField(default=True)
    owner = models.CharField(max_length=10, choices=Owner.choices, default=Owner.PEOPLE)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Provider"]()

    class Meta:
        db_table = "providers"
        constraints = [
            models.UniqueConstraint(
                name="providers_name_once", fields=["organization", "project", "name"], nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """A key to a provider, sealed; nobody reads it back. One of an environment shuts out the shared ones there."""

    id = models.CharField(max_length=40, primary_key=True, default=new_credential_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="credentials")
    environment = models.ForeignKey("orgs.Environment", on_delete=models.CASCADE, related_name="+", null=True)
    name = models.CharField(max_length=60)
    sealed = models.BinaryField()
    hint = models.CharField(max_length=12)
    weight = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Credential"]()

    class Meta:
        db_table = "provider_credentials"

    def __str__(self) -> str:
        return self.name


class ProviderModel(models.Model):
    """A model of a provider as this organization knows it; prices are dollars for a million tokens."""

    id = models.CharField(max_length=40, primary_key=True, default=new_model_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=200)
    upstream_name = models.CharField(max_length=200)
    prices = models.JSONField(default=dict)
    context = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["ProviderModel"]()

    class Meta:
        db_table = "provider_models"
        constraints = [models.UniqueConstraint(name="provider_models_name_once", fields=["provider", "name"])]

    def __str__(self) -> str:
        return self.name
