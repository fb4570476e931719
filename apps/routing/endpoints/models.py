"""The management API of models of one's own, and of prices instead of the catalogue's."""

from decimal import Decimal
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.endpoints.places import ENVIRONMENT, provider_of
from apps.routing.models import ProviderModel
from apps.routing.selectors.catalogue import MODES
from apps.routing.selectors.price_list import PER_MILLION, PER_ONE
from apps.routing.selectors.providers import models_of_provider
from apps.routing.services import providers
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed

_DEAREST = Decimal(1_000_000)
_TOKENS: dict[str, Any] = {"min_value": 1, "max_value": 100_000_000, "required": False, "allow_null": True}


class PricesSerializer(serializers.Serializer[Any]):
    """Dollars: for a million tokens or characters, else for one. What is unsaid costs what its family costs."""

    def get_fields(self) -> dict[str, Any]:
        return {
            name: serializers.DecimalField(
                max_digits=18, decimal_places=12, min_value=Decimal(0), max_value=_DEAREST, required=False
            )
            for name in (*PER_MILLION, *PER_ONE)
        }


class ProviderModelSerializer(serializers.ModelSerializer[ProviderModel]):
    capabilities = serializers.ListField(child=serializers.CharField())
    prices = serializers.DictField(child=serializers.CharField(), help_text="Empty: those of the catalogue hold.")
    price_version = serializers.SerializerMethodField(help_text="What requests charged by it name.")

    class Meta:
        model = ProviderModel
        fields = (
            *("id", "provider_id", "name", "upstream_name", "mode", "context", "max_output", "capabilities"),
            *("prices", "price_version", "created_at"),
        )

    def get_price_version(self, model: ProviderModel) -> str:
        return model.price_version


class ModelChangesSerializer(serializers.Serializer[Any]):
    upstream_name = serializers.CharField(max_length=200, required=False, help_text="How the provider says it.")
    mode = serializers.ChoiceField(choices=MODES, required=False)
    context = serializers.IntegerField(**_TOKENS)
    max_output = serializers.IntegerField(**_TOKENS)
    capabilities = serializers.ListField(child=serializers.CharField(max_length=40), max_length=40, required=False)
    prices = PricesSerializer(required=False, help_text="Instead of the catalogue's; empty gives those back.")

    def validate_prices(self, prices: dict[str, Decimal]) -> dict[str, str]:
        """As exact text: a float would not come back as it was written."""
        return {name: format(price.normalize(), "f") for name, price in prices.items()}


class NewModelSerializer(ModelChangesSerializer):
    name = serializers.CharField(max_length=200, help_text="How callers say it.")


class ProviderModelEndpoints(ApiViewSet):
    serializer_class = ProviderModelSerializer
    queryset = ProviderModel.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("name", "The one of this name.", lambda rows, value: rows.filter(name=value)),
        Filter("mode", "Only of this mode.", lambda rows, value: rows.filter(mode=value), MODES),
    )

    @extend_schema(
        summary="List models of one's own", parameters=[ENVIRONMENT], responses=ProviderModelSerializer(many=True)
    )
    def list(self, request: Any, provider_id: str) -> Response:
        provider = provider_of(request, "providers.read", provider_id)
        return self.page_of(models_of_provider(provider.organization_id, provider_id=provider.id))

    @extend_schema(
        summary="Add a model, or prices for one",
        parameters=[ENVIRONMENT],
        request=NewModelSerializer,
        responses={201: ProviderModelSerializer},
    )
    def create(self, request: Any, provider_id: str) -> Response:
        provider = provider_of(request, "providers.manage", provider_id)
        made = providers.add_model(provider=provider, actor=actor_of(request), **parsed(NewModelSerializer, request))
        location = f"/api/v1/providers/{provider_id}/models/{made.id}"
        return Response(self.get_serializer(made).data, status=201, headers={"location": location})

    @extend_schema(summary="Get a model of one's own", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, provider_id: str, model_id: str) -> Response:
        return Response(self.get_serializer(_model(request, "providers.read", provider_id, model_id)).data)

    @extend_schema(summary="Change a model or its prices", parameters=[ENVIRONMENT], request=ModelChangesSerializer)
    def partial_update(self, request: Any, provider_id: str, model_id: str) -> Response:
        model = _model(request, "providers.manage", provider_id, model_id)
        asked = parsed(ModelChangesSerializer, request)
        changed = providers.update_model(model=model, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Remove a model of one's own", parameters=[ENVIRONMENT], responses={204: None})
    def destroy(self, request: Any, provider_id: str, model_id: str) -> Response:
        model = _model(request, "providers.manage", provider_id, model_id)
        providers.remove_model(model=model, actor=actor_of(request))
        return Response(status=204)


def _model(request: Any, permission: str, provider_id: str, model_id: str) -> ProviderModel:
    provider = provider_of(request, permission, provider_id)
    return get_object_or_404(models_of_provider(provider.organization_id, provider_id=provider.id), id=model_id)
