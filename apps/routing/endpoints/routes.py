"""The management API of routes, their versions and the way back."""

from typing import Any, ClassVar, get_args

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.edge.route import Cause
from apps.routing.endpoints.places import ENVIRONMENT, place_of, route_of
from apps.routing.models import Owner, Route, RouteVersion, Strategy
from apps.routing.selectors.routes import definitions_of, difference, routes_of, versions_of
from apps.routing.services.definitions import MOST_TARGETS, read_definition
from apps.routing.services.explaining import explain_route
from apps.routing.services.routes import create_route, current_of, remove_route, roll_back, update_route
from brokle.kernel.errors import BadRequest
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$"
_MOST_VERSIONS = 200
_WHEN = (
    "Conditions that must all hold: `tag.<name>`, `metadata.<name>`, `user`, `segment`, `flag.<name>`, `input_tokens` "
    "and others, each with a value, a list of values or `{min, max}`."
)
AGAINST = OpenApiParameter("against", int, description="Number of another version to compare with; the one before.")


class TargetSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(max_length=200, help_text="`provider/model`.")
    weight = serializers.IntegerField(min_value=0, max_value=10_000, required=False)
    when = serializers.DictField(required=False, help_text=_WHEN)
    timeout_ms = serializers.IntegerField(
        min_value=1,
        max_value=3_600_000,
        required=False,
        help_text="How long one attempt may take to begin to answer, at most the route's.",
    )


class CacheSerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=("off", "exact", "semantic"), required=False)
    ttl = serializers.IntegerField(min_value=1, max_value=31_536_000, required=False, help_text="Seconds.")
    threshold = serializers.FloatField(min_value=0, max_value=1, required=False)
    namespace = serializers.CharField(max_length=200, required=False)


class ShadowSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(max_length=200)
    percent = serializers.FloatField(min_value=0, max_value=100, required=False)


class DefinitionSerializer(serializers.Serializer[Any]):
    strategy = serializers.ChoiceField(choices=Strategy.choices, required=False)
    targets = TargetSerializer(many=True, max_length=MOST_TARGETS, allow_empty=False)
    retries = serializers.IntegerField(min_value=0, max_value=10, required=False)
    timeout_ms = serializers.IntegerField(
        min_value=1, max_value=3_600_000, required=False, help_text="For the whole call, all attempts together."
    )
    cache = CacheSerializer(required=False)
    sticky = serializers.ChoiceField(
        choices=("", "user", "session"), required=False, help_text="Whose calls meet the same target every time."
    )
    fallback_on = serializers.ListField(
        child=serializers.ChoiceField(choices=get_args(Cause)),
        required=False,
        help_text="After which failures the next target is asked.",
    )
    shadow = ShadowSerializer(required=False)
    hedge_after_ms = serializers.IntegerField(
        min_value=0, max_value=600_000, required=False, help_text="A rival is asked when nobody has begun by then."
    )


class NewRouteSerializer(DefinitionSerializer):
    name = serializers.RegexField(_NAME, help_text="What callers ask for instead of a model.")


class RouteChangesSerializer(DefinitionSerializer):
    """What is left out stays as it is; targets are given whole."""

    name = serializers.RegexField(_NAME, required=False)
    targets = TargetSerializer(many=True, max_length=MOST_TARGETS, allow_empty=False, required=False)


class RouteSerializer(serializers.ModelSerializer[Route]):
    definition = serializers.SerializerMethodField(help_text="What is in force.")

    class Meta:
        model = Route
        fields = ("id", "project_id", "name", "version", "owner", "definition", "created_at")

    def get_definition(self, route: Route) -> dict[str, Any]:
        known: dict[str, Any] = self.context.get("definitions", {})
        return known.get(route.id) or current_of(route)


class RouteVersionSerializer(serializers.ModelSerializer[RouteVersion]):
    definition = serializers.DictField()

    class Meta:
        model = RouteVersion
        fields = ("number", "definition", "created_by", "created_at")


class ChangeSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ComparedVersionSerializer(RouteVersionSerializer):
    """A version with where it differs from another."""

    against = serializers.IntegerField(allow_null=True)
    changes = ChangeSerializer(many=True)

    class Meta(RouteVersionSerializer.Meta):
        fields = (*RouteVersionSerializer.Meta.fields, "against", "changes")


class RollbackSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, help_text="Number of the version that says what shall hold again.")


class CallSerializer(serializers.Serializer[Any]):
    """What is known of a call; what is left out is not."""

    model = serializers.CharField(max_length=200, required=False)
    user = serializers.CharField(max_length=200, required=False)
    session = serializers.CharField(max_length=200, required=False)
    key = serializers.CharField(max_length=200, required=False)
    endpoint = serializers.CharField(max_length=60, required=False)
    tags = serializers.DictField(child=serializers.CharField(max_length=200), required=False)
    input_tokens = serializers.IntegerField(min_value=0, max_value=100_000_000, required=False)
    output_tokens = serializers.IntegerField(min_value=0, max_value=100_000_000, required=False)
    is_stream = serializers.BooleanField(required=False)
    needs = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        help_text="Capabilities the call needs, such as `tools` or `image-input`.",
    )
    at = serializers.DateTimeField(required=False, help_text="Now, where it is left out.")
    segments = serializers.ListField(child=serializers.CharField(max_length=200), required=False)
    flags = serializers.DictField(required=False)
    traits = serializers.DictField(required=False)


class ConsideredSerializer(serializers.Serializer[Any]):
    target = serializers.CharField()
    place = serializers.IntegerField(help_text="Its turn, from 1; 0 where it is left out.")
    reason = serializers.CharField()
    timeout_ms = serializers.IntegerField(help_text="Its own deadline; 0 where it has none.")


class ExplanationSerializer(serializers.Serializer[Any]):
    route = serializers.CharField()
    version = serializers.IntegerField()
    strategy = serializers.CharField()
    targets = ConsideredSerializer(many=True)


class RouteEndpoints(ApiViewSet):
    """Names to ask for instead of a model; what they do is in their versions."""

    serializer_class = RouteSerializer
    queryset = Route.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("name", "The one of this name.", lambda rows, value: rows.filter(name=value)),
        Filter(
            "owner", "Only people's or the file's.", lambda rows, value: rows.filter(owner=value), tuple(Owner.values)
        ),
    )

    @extend_schema(summary="List routes", parameters=[ENVIRONMENT], responses=RouteSerializer(many=True))
    def list(self, request: Any) -> Response:
        place = place_of(request, "routes.read")
        page = self.paginate_queryset(self.filtered(routes_of(place.organization_id, project_id=place.project_id)))
        definitions = definitions_of(place.organization_id, list(page or []))
        context = {**self.get_serializer_context(), "definitions": definitions}
        return self.get_paginated_response(RouteSerializer(page, many=True, context=context).data)

    @extend_schema(
        summary="Create a route", parameters=[ENVIRONMENT], request=NewRouteSerializer, responses={201: RouteSerializer}
    )
    def create(self, request: Any) -> Response:
        place = place_of(request, "routes.manage")
        name, definition = _asked(NewRouteSerializer, request)
        made = create_route(
            organization_id=place.organization_id,
            project_id=place.project_id,
            name=name,
            definition=read_definition(name, definition),
            actor=actor_of(request),
        )
        return Response(self.get_serializer(made).data, status=201, headers={"location": f"/api/v1/routes/{made.id}"})

    @extend_schema(summary="Get a route", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, route_id: str) -> Response:
        return Response(self.get_serializer(route_of(request, "routes.read", route_id)).data)

    @extend_schema(summary="Change a route: its next version", parameters=[ENVIRONMENT], request=RouteChangesSerializer)
    def partial_update(self, request: Any, route_id: str) -> Response:
        route = route_of(request, "routes.manage", route_id)
        name, changes = _asked(RouteChangesSerializer, request)
        definition = read_definition(name or route.name, {**current_of(route), **changes}) if changes else None
        changed = update_route(route=route, actor=actor_of(request), definition=definition, name=name)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Remove a route", parameters=[ENVIRONMENT], responses={204: None})
    def destroy(self, request: Any, route_id: str) -> Response:
        remove_route(route=route_of(request, "routes.manage", route_id), actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Take a route back to an earlier version, as a new one",
        parameters=[ENVIRONMENT],
        request=RollbackSerializer,
        responses=RouteSerializer,
    )
    def rollback(self, request: Any, route_id: str) -> Response:
        route = route_of(request, "routes.manage", route_id)
        number = parsed(RollbackSerializer, request)["version"]
        return Response(self.get_serializer(roll_back(route=route, number=number, actor=actor_of(request))).data)

    @extend_schema(
        summary="Explain what a route would do with a call",
        description="Nothing is called. Speed and load are those of the last ten minutes of the environment.",
        parameters=[ENVIRONMENT],
        request=CallSerializer,
        responses=ExplanationSerializer,
    )
    def explain(self, request: Any, route_id: str) -> Response:
        place, route = place_of(request, "routes.read"), route_of(request, "routes.read", route_id)
        facts = parsed(CallSerializer, request)
        for name in ("needs", "segments"):
            facts[name] = frozenset(facts.get(name, ()))
        considered = explain_route(route=route, environment_id=place.environment_id, facts=facts)
        ordered = sorted(considered, key=lambda one: (one.place == 0, one.place))
        strategy = current_of(route)["strategy"]
        found = {"route": route.name, "version": route.version, "strategy": strategy, "targets": ordered}
        return Response(ExplanationSerializer(found).data)


class RouteVersionEndpoints(ApiViewSet):
    """What a route was; versions never change."""

    serializer_class = RouteVersionSerializer
    queryset = RouteVersion.objects.across_organizations().none()
    own_parameters = frozenset({"environment", "against"})

    @extend_schema(
        summary="List the newest 200 versions of a route",
        parameters=[ENVIRONMENT],
        responses=RouteVersionSerializer(many=True),
    )
    def list(self, request: Any, route_id: str) -> Response:
        route = route_of(request, "routes.read", route_id)
        rows = versions_of(route.organization_id, route_id=route.id).order_by("-number")[:_MOST_VERSIONS]
        return Response({"data": self.get_serializer(rows, many=True).data, "next_cursor": None})

    @extend_schema(
        summary="Get a version and where it differs from another",
        parameters=[ENVIRONMENT, AGAINST],
        responses=ComparedVersionSerializer,
    )
    def retrieve(self, request: Any, route_id: str, number: int) -> Response:
        route = route_of(request, "routes.read", route_id)
        rows = versions_of(route.organization_id, route_id=route.id)
        version = get_object_or_404(rows, number=number)
        against = _against(request, number)
        other = get_object_or_404(rows, number=against) if against else None
        changes = difference(other.definition, version.definition) if other else []
        return Response({**self.get_serializer(version).data, "against": against, "changes": changes})


def _asked(serializer: type[DefinitionSerializer], request: Any) -> tuple[str, dict[str, Any]]:
    """The name, and the rest as it was sent: a condition's values keep their types."""
    asked = parsed(serializer, request)
    name = asked.pop("name", "")
    return name, {field: request.data[field] for field in asked}


def _against(request: Any, number: int) -> int | None:
    text = request.query_params.get("against", "")
    if not text:
        return number - 1 or None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise BadRequest("`against` is the number of a version", field="against")
    return int(text)
