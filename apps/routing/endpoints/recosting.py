"""The management API that charges past requests again."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.endpoints.places import ENVIRONMENT, place_of
from apps.routing.models import Recosting
from apps.routing.services.recosting import ask_for_recosting
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed


class RecostingSerializer(serializers.ModelSerializer[Recosting]):
    """`unpriced` requests have no known price and stay as they were."""

    class Meta:
        model = Recosting
        fields = (
            *("id", "environment_id", "since", "until", "provider", "model", "status", "requests", "unpriced"),
            *("cost_before_usd_nanos", "cost_after_usd_nanos", "created_by", "created_at", "finished_at"),
        )


class NewRecostingSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="From this moment.")
    until = serializers.DateTimeField(help_text="Until before this one; at most 60 days later.")
    provider = serializers.CharField(max_length=60, required=False, help_text="Only requests to this provider.")
    model = serializers.CharField(max_length=200, required=False, help_text="Only this model, as the provider says it.")


class RecostingEndpoints(ApiViewSet):
    """Past requests charged again by the prices that hold now; the log alone changes, invoices do not."""

    serializer_class = RecostingSerializer
    queryset = Recosting.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})

    @extend_schema(summary="List recostings", parameters=[ENVIRONMENT], responses=RecostingSerializer(many=True))
    def list(self, request: Any) -> Response:
        place = place_of(request, "costs.manage")
        rows = Recosting.objects.of(place.organization_id).filter(environment_id=place.environment_id)
        return self.page_of(rows)

    @extend_schema(
        summary="Charge past requests again",
        parameters=[ENVIRONMENT],
        request=NewRecostingSerializer,
        responses={202: RecostingSerializer},
    )
    def create(self, request: Any) -> Response:
        place = place_of(request, "costs.manage")
        job = ask_for_recosting(
            organization_id=place.organization_id,
            environment_id=place.environment_id,
            actor=actor_of(request),
            **parsed(NewRecostingSerializer, request),
        )
        location = f"/api/v1/recostings/{job.id}"
        return Response(self.get_serializer(job).data, status=202, headers={"location": location})

    @extend_schema(summary="Get a recosting", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, recosting_id: str) -> Response:
        place = place_of(request, "costs.manage")
        rows = Recosting.objects.of(place.organization_id).filter(environment_id=place.environment_id)
        return Response(self.get_serializer(get_object_or_404(rows, id=recosting_id)).data)
