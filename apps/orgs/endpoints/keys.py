"""The management API of API keys."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.contracts import IssuedKey
from apps.orgs.models import ApiKey, BudgetWindow
from apps.orgs.selectors.access import place_of_call
from apps.orgs.selectors.keys import keys_of
from apps.orgs.selectors.projects import get_environment
from apps.orgs.services.keys import Bounds, bounds_of, issue_key, revoke_key, rotate_key, update_key
from brokle.edge.principal import SCOPES
from brokle.kernel.clock import utc_now
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed

ENVIRONMENT = OpenApiParameter(
    "environment", str, description="Id of the environment; a key stands in its own, a person says which."
)
_DAY_S = 24 * 60 * 60


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """An API key without its secret."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES))
    hint = serializers.CharField(help_text="Beginning and end, to recognize it by.")

    class Meta:
        model = ApiKey
        fields = (
            *("id", "name", "hint", "scopes", "allowed_models", "allowed_ips", "allowed_origins"),
            *("requests_per_minute", "tokens_per_minute", "budget_usd_micros", "budget_window"),
            *("project_id", "environment_id", "created_by", "created_at", "last_used_at"),
            *("expires_at", "revoked_at", "rotated_to"),
        )


class IssuedKeySerializer(KeySerializer):
    """A new API key, whole for this one time."""

    value = serializers.CharField(help_text="Shown once; only its hash is kept.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "value")


def _texts(longest: int, meaning: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=longest), max_length=100, required=False, help_text=meaning
    )


class KeyChangesSerializer(serializers.Serializer[Any]):
    """What is left out stays as it is; null lifts a bound."""

    name = serializers.CharField(max_length=120, required=False, help_text="What people call it.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES),
        min_length=1,
        max_length=len(SCOPES),
        required=False,
        help_text="What it may do.",
    )
    allowed_models = _texts(200, "Models it may call; all when empty.")
    allowed_ips = _texts(60, "Addresses or CIDRs it may be used from; all when empty.")
    allowed_origins = _texts(300, "Origins of web pages it may be used from; all when empty.")
    requests_per_minute = serializers.IntegerField(
        min_value=1, max_value=10_000_000, required=False, allow_null=True, help_text="Unlimited when left out."
    )
    tokens_per_minute = serializers.IntegerField(
        min_value=1, max_value=2_000_000_000, required=False, allow_null=True, help_text="Unlimited when left out."
    )
    budget_usd_micros = serializers.IntegerField(
        min_value=1, max_value=10**15, required=False, allow_null=True, help_text="Micro-dollars per window."
    )
    budget_window = serializers.ChoiceField(choices=BudgetWindow.choices, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Never when left out.")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= utc_now():
            raise serializers.ValidationError("This time has passed.")
        return value


class NewKeySerializer(KeyChangesSerializer):
    name = serializers.CharField(max_length=120, help_text="What people call it.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=len(SCOPES), help_text="What it may do."
    )


class RotationSerializer(serializers.Serializer[Any]):
    overlap_seconds = serializers.IntegerField(
        min_value=0,
        max_value=30 * _DAY_S,
        default=_DAY_S,
        help_text="How long the former key works on; 0 ends it at once.",
    )


def _active(rows: QuerySet[ApiKey], value: str) -> QuerySet[ApiKey]:
    return rows.filter(revoked_at__isnull=value == "active")


class KeyEndpoints(ApiViewSet):
    """API keys of one environment."""

    serializer_class = KeySerializer
    queryset = ApiKey.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("name", "Keys of exactly this name.", lambda rows, value: rows.filter(name=value)),
        Filter("scope", "Keys with this scope.", lambda rows, value: rows.filter(scopes__contains=[value]), SCOPES),
        Filter("status", "Only usable or only revoked keys.", _active, ("active", "revoked")),
    )

    @extend_schema(summary="List API keys", parameters=[ENVIRONMENT], responses=KeySerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(keys_of(place_of_call(request, "keys.read")))

    @extend_schema(
        summary="Create an API key",
        parameters=[ENVIRONMENT],
        request=NewKeySerializer,
        responses={201: IssuedKeySerializer},
    )
    def create(self, request: Any) -> Response:
        place = place_of_call(request, "keys.manage")
        asked = parsed(NewKeySerializer, request)
        name, scopes = asked.pop("name"), asked.pop("scopes")
        issued = issue_key(
            environment=get_environment(place),
            name=name,
            scopes=scopes,
            actor=actor_of(request),
            bounds=Bounds(**asked),
        )
        return self._issued(keys_of(place), issued)

    @extend_schema(summary="Get an API key", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, key_id: str) -> Response:
        key = get_object_or_404(keys_of(place_of_call(request, "keys.read")), id=key_id)
        return Response(self.get_serializer(key).data)

    @extend_schema(summary="Change an API key", parameters=[ENVIRONMENT], request=KeyChangesSerializer)
    def partial_update(self, request: Any, key_id: str) -> Response:
        key = get_object_or_404(keys_of(place_of_call(request, "keys.manage")), id=key_id)
        asked = parsed(KeyChangesSerializer, request)
        named = {name: asked.pop(name) for name in ("name", "scopes") if name in asked}
        bounds = Bounds(**{**_fields(bounds_of(key)), **asked})
        return Response(self.get_serializer(update_key(key=key, actor=actor_of(request), bounds=bounds, **named)).data)

    @extend_schema(
        summary="Rotate an API key: a successor with the same rights, and an end for this one",
        parameters=[ENVIRONMENT],
        request=RotationSerializer,
        responses={201: IssuedKeySerializer},
    )
    def rotate(self, request: Any, key_id: str) -> Response:
        rows = keys_of(place_of_call(request, "keys.manage"))
        key = get_object_or_404(rows, id=key_id)
        overlap = timedelta(seconds=parsed(RotationSerializer, request)["overlap_seconds"])
        return self._issued(rows, rotate_key(key=key, actor=actor_of(request), overlap=overlap))

    @extend_schema(
        summary="Revoke an API key; within a second no edge accepts it",
        parameters=[ENVIRONMENT],
        responses={204: None},
    )
    def destroy(self, request: Any, key_id: str) -> Response:
        key = get_object_or_404(keys_of(place_of_call(request, "keys.manage")), id=key_id)
        revoke_key(key=key, actor=actor_of(request), at=utc_now())
        return Response(status=204)

    def _issued(self, rows: QuerySet[ApiKey], issued: IssuedKey) -> Response:
        key = rows.get(id=issued.key_id)
        key.value = issued.value  # type: ignore[attr-defined]
        body = IssuedKeySerializer(key).data
        return Response(body, status=201, headers={"location": f"/api/v1/keys/{key.id}"})


def _fields(bounds: Bounds) -> dict[str, Any]:
    return {name: getattr(bounds, name) for name in Bounds.__dataclass_fields__}
