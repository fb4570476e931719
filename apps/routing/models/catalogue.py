from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from brokle.kernel.ids import new_id


def new_catalogue_provider_id() -> str:
    return new_id("cpr")


def new_catalogue_model_id() -> str:
    return new_id("cmd")


def new_list_price_id() -> str:
    return new_id("lpr")


class CatalogueVersion(models.Model):
    """The catalogue as compiled for the edge; the newest is in force. `source` says what it was made of."""

    id = models.BigAutoField(primary_key=True)
    version = models.CharField(max_length=40)
    source = models.CharField(max_length=120)
    compiled = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "catalogue_versions"

    def __str__(self) -> str:
        return self.version


class CatalogueProvider(models.Model):
    """A provider that exists, as our data has it. Rows are rewritten with every new catalogue, by name."""

    id = models.CharField(max_length=40, primary_key=True, default=new_catalogue_provider_id, editable=False)
    name = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    group = models.CharField(max_length=20)
    base_url = models.CharField(max_length=500)
    auth = models.CharField(max_length=40)
    env = models.CharField(max_length=80, blank=True)
    dialect = models.CharField(max_length=40)
    endpoints = ArrayField(models.CharField(max_length=40))
    quirks = ArrayField(models.CharField(max_length=200), default=list)
    aliases = ArrayField(models.CharField(max_length=80), default=list)
    source = models.CharField(max_length=500)
    checked_at = models.DateField()
    seen = ArrayField(models.CharField(max_length=40), default=list)

    class Meta:
        db_table = "catalogue_providers"

    def __str__(self) -> str:
        return self.name


class CatalogueModel(models.Model):
    """A model of such a provider, with the price in force. `prices` is dollars as exact text; none is not known."""

    id = models.CharField(max_length=40, primary_key=True, default=new_catalogue_model_id, editable=False)
    provider = models.CharField(max_length=60)
    name = models.CharField(max_length=200)
    mode = models.CharField(max_length=20)
    context = models.PositiveIntegerField(null=True)
    max_output = models.PositiveIntegerField(null=True)
    capabilities = ArrayField(models.CharField(max_length=40), default=list)
    prices = models.JSONField(null=True)
    price_version = models.CharField(max_length=40, blank=True)
    released_on = models.CharField(max_length=10, blank=True)
    is_deprecated = models.BooleanField(default=False)
    source = models.CharField(max_length=40)

    class Meta:
        db_table = "catalogue_models"
        constraints = [models.UniqueConstraint(name="catalogue_models_once", fields=["provider", "name"])]

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


class ListPrice(models.Model):
    """A price that a model has or had by the catalogue. Never changed: requests name it by its `version`.

    `exact` is the edge's own record of it, so that history can be charged again to the same nano-dollar.
    """

    id = models.CharField(max_length=40, primary_key=True, default=new_list_price_id, editable=False)
    version = models.CharField(max_length=40, unique=True)
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=200)
    prices = models.JSONField()
    exact = models.JSONField()
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "list_prices"
        indexes = [models.Index(name="list_prices_by_model", fields=["provider", "model", "-id"])]

    def __str__(self) -> str:
        return self.version
