from django.contrib.postgres.fields import ArrayField
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


def new_data_key_id() -> str:
    return new_id("dtk")


class Owner(models.TextChoices):
    """Who may change it: people, or the configuration file, which the console then shows as read-only."""

    PEOPLE = "people"
    FILE = "file"


class DataKey(models.Model):
    """An organization's own key, sealed under the installation's: what else is sealed of it is sealed by this one."""

    id = models.CharField(max_length=40, primary_key=True, default=new_data_key_id, editable=False)
    organization = models.OneToOneField("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["DataKey"]()

    class Meta:
        db_table = "data_keys"

    def __str__(self) -> str:
        return self.id


class Provider(models.Model):
    """Where models live. `name` is what callers write before the slash; without a project all of them share it.

    `kind` is its name in the catalogue, or a dialect. `is_open` lets through models that nobody listed; the catalogue
    prices those it knows. `options` fill the places of an address and say versions. `checked_at` is the last test.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_provider_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("orgs.Project", on_delete=models.CASCADE, related_name="+", null=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    base_url = models.CharField(max_length=500)
    is_open = models.BooleanField(default=True)
    is_enabled = models.BooleanField(default=True)
    options = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True)
    check_ms = models.PositiveIntegerField(null=True)
    check_error = models.CharField(max_length=60, blank=True)
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
    rotated_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["Credential"]()

    class Meta:
        db_table = "provider_credentials"

    def __str__(self) -> str:
        return self.name


class ProviderModel(models.Model):
    """A model of a provider as this organization knows it; prices are dollars for a million tokens.

    They win over the catalogue's; where none are given the catalogue's hold.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_model_id, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=200)
    upstream_name = models.CharField(max_length=200)
    prices = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(default=1)
    context = models.PositiveIntegerField(null=True)
    max_output = models.PositiveIntegerField(null=True)
    mode = models.CharField(max_length=20, default="chat")
    capabilities = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrganizationManager["ProviderModel"]()

    class Meta:
        db_table = "provider_models"
        constraints = [models.UniqueConstraint(name="provider_models_name_once", fields=["provider", "name"])]

    def __str__(self) -> str:
        return self.name

    @property
    def price_version(self) -> str:
        return f"{self.id}.{self.revision}" if self.prices else ""
