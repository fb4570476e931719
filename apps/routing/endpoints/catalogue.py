"""The management API of the catalogue: what exists, what it can do and what it costs by list."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.models import CatalogueModel, CatalogueProvider, ListPrice
from apps.routing.selectors.catalogue import GROUPS, MODES, dialects
from brokle.web.api import ApiViewSet, Filter

_PRICES = "Dollars as exact text: for a million tokens or characters, else for one; null is not known."


class CatalogueProviderSerializer(serializers.ModelSerializer[CatalogueProvider]):
    """`seen` names the public catalogues that give the same host; an empty one is unverified."""

    endpoints = serializers.ListField(child=serializers.CharField())
    quirks = serializers.ListField(child=serializers.CharField())
    aliases = serializers.ListField(child=serializers.CharField())
    seen = serializers.ListField(child=serializers.CharField())
    checked_at = serializers.DateField(help_text="The day on which the facts were looked up.")

    class Meta:
        model = CatalogueProvider
        fields = (
            *("id", "name", "title", "group", "base_url", "auth", "env", "dialect", "endpoints", "quirks"),
            *("aliases", "source", "checked_at", "seen"),
        )


class CatalogueModelSerializer(serializers.ModelSerializer[CatalogueModel]):
    capabilities = serializers.ListField(child=serializers.CharField())
    prices = serializers.DictField(child=serializers.CharField(), allow_null=True, help_text=_PRICES)

    class Meta:
        model = CatalogueModel
        fields = (
            *("id", "provider", "name", "mode", "context", "max_output", "capabilities", "prices"),
            *("price_version", "released_on", "is_deprecated", "source"),
        )


class ListPriceSerializer(serializers.ModelSerializer[ListPrice]):
    prices = serializers.DictField(child=serializers.CharField(), help_text=_PRICES)

    class Meta:
        model = ListPrice
        fields = ("id", "version", "provider", "model", "prices", "since")


def _containing(field: str) -> Any:
    return lambda rows, value: rows.filter(**{f"{field}__contains": [value]})


def _priced(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(prices__isnull=value == "no")


def _named(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(Q(name__icontains=value) | Q(title__icontains=value))


class CatalogueProviderEndpoints(ApiViewSet):
    """Providers that exist; connect one with `POST /api/v1/providers`."""

    serializer_class = CatalogueProviderSerializer
    queryset = CatalogueProvider.objects.all()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("search", "Part of the name or title.", _named),
        Filter("name", "The one of this name.", lambda rows, value: rows.filter(name=value)),
        Filter("group", "Only of this group.", lambda rows, value: rows.filter(group=value), GROUPS),
        Filter("dialect", "Only of this dialect.", lambda rows, value: rows.filter(dialect=value), dialects()),
        Filter("endpoint", "Only those that serve this, such as `embeddings`.", _containing("endpoints")),
    )

    @extend_schema(summary="List the providers that exist", responses=CatalogueProviderSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(CatalogueProvider.objects.all())


class CatalogueModelEndpoints(ApiViewSet):
    """Models that exist, with their list prices."""

    serializer_class = CatalogueModelSerializer
    queryset = CatalogueModel.objects.all()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("search", "Part of the name.", lambda rows, value: rows.filter(name__icontains=value)),
        Filter("name", "Of exactly this name.", lambda rows, value: rows.filter(name=value)),
        Filter("provider", "Only of this provider.", lambda rows, value: rows.filter(provider=value)),
        Filter("mode", "Only of this mode.", lambda rows, value: rows.filter(mode=value), MODES),
        Filter("capability", "Only those that can do this, such as `tools`.", _containing("capabilities")),
        Filter("priced", "Only those with a known price, or those without.", _priced, ("yes", "no")),
    )

    @extend_schema(summary="List the models that exist", responses=CatalogueModelSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(CatalogueModel.objects.all())

    @extend_schema(summary="Get a model of the catalogue")
    def retrieve(self, request: Any, model_id: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(CatalogueModel, id=model_id)).data)


class ListPriceEndpoints(ApiViewSet):
    """List prices that hold or held; a request names the one it was charged by as `price_version`."""

    serializer_class = ListPriceSerializer
    queryset = ListPrice.objects.all()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("version", "The one of this version.", lambda rows, value: rows.filter(version=value)),
        Filter("provider", "Only of this provider.", lambda rows, value: rows.filter(provider=value)),
        Filter("model", "Only of this model.", lambda rows, value: rows.filter(model=value)),
    )

    @extend_schema(summary="List prices, newest first", responses=ListPriceSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(ListPrice.objects.all())
