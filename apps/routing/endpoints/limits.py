"""The management API of how much may be used."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.endpoints.places import ENVIRONMENT, demand_everywhere, place_of
from apps.routing.models import Measured, Subject, UsageLimit, Window
from apps.routing.selectors.limits import limits_at
from apps.routing.services.limits import create_limit, remove_limit, update_limit
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed

_AMOUNT = "Requests, tokens or slots; of `usd` millionths of a dollar."


_SOFT = "Of a budget: warns when half, four fifths and all of it are spent, and refuses nobody."


class NewLimitSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    subject = serializers.ChoiceField(choices=Subject.choices, help_text="Whose calls are counted together.")
    only = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", help_text="Holds for this one alone."
    )
    measured = serializers.ChoiceField(choices=Measured.choices)
    amount = serializers.IntegerField(min_value=1, max_value=10**15, help_text=_AMOUNT)
    window = serializers.ChoiceField(
        choices=[*Window.choices, ("", "")],
        required=False,
        default="",
        help_text="Minute, hour or day slide; money is counted by day, week, month or in total; `parallel` has none.",
    )
    is_soft = serializers.BooleanField(required=False, default=False, help_text=_SOFT)
    for_all_projects = serializers.BooleanField(required=False, default=False)


class LimitChangesSerializer(serializers.Serializer[Any]):
    only = serializers.CharField(max_length=200, required=False, allow_blank=True)
    amount = serializers.IntegerField(min_value=1, max_value=10**15, required=False, help_text=_AMOUNT)
    window = serializers.ChoiceField(choices=[*Window.choices, ("", "")], required=False)

    is_soft = serializers.BooleanField(required=False, help_text=_SOFT)


class LimitSerializer(serializers.ModelSerializer[UsageLimit]):
    class Meta:
        model = UsageLimit
        fields = (
            *("id", "project_id", "name", "subject", "only", "measured", "amount", "window", "is_soft"),
            *("owner", "created_at"),
        )


class LimitEndpoints(ApiViewSet):
    """Rates, budgets and slots for keys, users, routes, models, providers, the project or the organization."""

    serializer_class = LimitSerializer
    queryset = UsageLimit.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})

    @extend_schema(summary="List limits", parameters=[ENVIRONMENT], responses=LimitSerializer(many=True))
    def list(self, request: Any) -> Response:
        place = place_of(request, "limits.read")
        page = self.paginate_queryset(self.filtered(limits_at(place.organization_id, project_id=place.project_id)))
        return self.get_paginated_response(LimitSerializer(page, many=True).data)

    @extend_schema(
        summary="Set a limit", parameters=[ENVIRONMENT], request=NewLimitSerializer, responses={201: LimitSerializer}
    )
    def create(self, request: Any) -> Response:
        place = place_of(request, "limits.manage")
        asked = parsed(NewLimitSerializer, request)
        if is_for_all := asked.pop("for_all_projects"):
            demand_everywhere(request, place, "limits.manage")
        made = create_limit(
            organization_id=place.organization_id,
            project_id=None if is_for_all else place.project_id,
            actor=actor_of(request),
            **asked,
        )
        return Response(self.get_serializer(made).data, status=201, headers={"location": f"/api/v1/limits/{made.id}"})

    @extend_schema(summary="Get a limit", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, limit_id: str) -> Response:
        return Response(self.get_serializer(_limit_of(request, "limits.read", limit_id)).data)

    @extend_schema(summary="Change a limit", parameters=[ENVIRONMENT], request=LimitChangesSerializer)
    def partial_update(self, request: Any, limit_id: str) -> Response:
        limit = _limit_of(request, "limits.manage", limit_id)
        changed = update_limit(limit=limit, actor=actor_of(request), **parsed(LimitChangesSerializer, request))
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Take a limit away", parameters=[ENVIRONMENT], responses={204: None})
    def destroy(self, request: Any, limit_id: str) -> Response:
        remove_limit(limit=_limit_of(request, "limits.manage", limit_id), actor=actor_of(request))
        return Response(status=204)


def _limit_of(request: Any, permission: str, limit_id: str) -> UsageLimit:
    """What all projects share is changed by whoever may do so in all of them."""
    place = place_of(request, permission)
    limit = get_object_or_404(limits_at(place.organization_id, project_id=place.project_id), id=limit_id)
    if limit.project_id is None and permission != "limits.read":
        demand_everywhere(request, place, permission)
    return limit
