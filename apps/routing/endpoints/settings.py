"""The management API of what holds for all calls of a project."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.endpoints.places import ENVIRONMENT, place_of
from apps.routing.models import GatewaySettings
from apps.routing.selectors.settings import settings_of
from apps.routing.services.settings import change_settings
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed


class GatewaySettingsSerializer(serializers.ModelSerializer[GatewaySettings]):
    class Meta:
        model = GatewaySettings
        fields = ("project_id", "allows_own_keys")


class GatewayChangesSerializer(serializers.Serializer[Any]):
    allows_own_keys = serializers.BooleanField(
        help_text="Whether callers may bring a provider's key of their own for a call, in `x-brokle-provider-key`."
    )


class GatewaySettingsEndpoints(ApiViewSet):
    """What holds for all calls of a project."""

    serializer_class = GatewaySettingsSerializer
    queryset = GatewaySettings.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})

    @extend_schema(summary="Get the settings of the gateway", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any) -> Response:
        place = place_of(request, "providers.read")
        return Response(self.get_serializer(settings_of(place.organization_id, project_id=place.project_id)).data)

    @extend_schema(
        summary="Change the settings of the gateway", parameters=[ENVIRONMENT], request=GatewayChangesSerializer
    )
    def partial_update(self, request: Any) -> Response:
        place = place_of(request, "providers.manage")
        changed = change_settings(
            organization_id=place.organization_id,
            project_id=place.project_id,
            actor=actor_of(request),
            **parsed(GatewayChangesSerializer, request),
        )
        return Response(self.get_serializer(changed).data)
