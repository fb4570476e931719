"""The management API of personal access tokens, and the device flow that ends in one."""

from typing import Any

from django.db.models import QuerySet
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.orgs.models import PersonalToken
from apps.orgs.services import devices
from apps.orgs.services.tokens import issue_token, revoke_token
from brokle.edge.principal import Principal
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Forbidden
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed
from brokle.web.rates import demand_rate


class PersonalTokenSerializer(serializers.ModelSerializer[PersonalToken]):
    """A personal access token without its secret."""

    hint = serializers.CharField(source="__str__", help_text="Beginning and end, to recognize it by.")

    class Meta:
        model = PersonalToken
        fields = ("id", "name", "hint", "is_read_only", "created_at", "last_used_at", "expires_at", "revoked_at")


class IssuedTokenSerializer(PersonalTokenSerializer):
    """A new token, whole for this one time."""

    value = serializers.CharField(help_text="Shown once; only its hash is kept.")

    class Meta(PersonalTokenSerializer.Meta):
        fields = (*PersonalTokenSerializer.Meta.fields, "value")


class NewTokenSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    is_read_only = serializers.BooleanField(default=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Never when left out.")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= utc_now():
            raise serializers.ValidationError("This time has passed.")
        return value


class TokenEndpoints(ApiViewSet):
    """Your own tokens."""

    serializer_class = PersonalTokenSerializer
    queryset = PersonalToken.objects.none()

    def own(self) -> QuerySet[PersonalToken]:
        if isinstance(self.request.auth, Principal):
            raise Forbidden("API keys have no personal tokens; sign in, or use one")
        return PersonalToken.objects.filter(user_id=self.request.user.pk)

    @extend_schema(summary="List your personal access tokens", responses=PersonalTokenSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(self.own())

    @extend_schema(
        summary="Create a personal access token", request=NewTokenSerializer, responses={201: IssuedTokenSerializer}
    )
    def create(self, request: Any) -> Response:
        self.own()
        asked = parsed(NewTokenSerializer, request)
        issued = issue_token(user_id=str(request.user.pk), actor=actor_of(request), **asked)
        issued.token.value = issued.value  # type: ignore[attr-defined]
        return Response(IssuedTokenSerializer(issued.token).data, status=201)

    @extend_schema(summary="Revoke a personal access token", responses={204: None})
    def destroy(self, request: Any, token_id: str) -> Response:
        revoke_token(token=get_object_or_404(self.own(), id=token_id), actor=actor_of(request))
        return Response(status=204)


class DeviceRequestSerializer(serializers.Serializer[Any]):
    client = serializers.CharField(max_length=120, help_text="What the person in the browser is shown.")


class DeviceCodeSerializer(serializers.Serializer[Any]):
    device_code = serializers.CharField()
    user_code = serializers.CharField()
    verification_uri = serializers.CharField()
    verification_uri_complete = serializers.CharField()
    expires_in = serializers.IntegerField()
    interval = serializers.IntegerField()


class DevicePollSerializer(serializers.Serializer[Any]):
    device_code = serializers.CharField(max_length=100)


class DeviceTokenSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    token_id = serializers.CharField()


class DeviceEndpoints(ApiViewSet):
    """RFC 8628: a command line asks, a person answers in the browser."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = DeviceCodeSerializer

    @extend_schema(
        summary="Begin signing a command line in", request=DeviceRequestSerializer, responses=DeviceCodeSerializer
    )
    def create(self, request: Any) -> Response:
        ip = request.META.get("REMOTE_ADDR") or None
        demand_rate("device", ip or "-", amount=20, window_s=60)
        asked = devices.ask(client=parsed(DeviceRequestSerializer, request)["client"], ip=ip)
        page = request.build_absolute_uri("/auth/device")
        return Response(
            {
                "device_code": asked.device_code,
                "user_code": asked.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?code={asked.user_code}",
                "expires_in": asked.expires_in_s,
                "interval": asked.interval_s,
            }
        )

    @extend_schema(
        summary="Ask whether the person has approved", request=DevicePollSerializer, responses=DeviceTokenSerializer
    )
    def token(self, request: Any) -> Any:
        demand_rate("device-token", request.META.get("REMOTE_ADDR") or "-", amount=120, window_s=60)
        device_code = parsed(DevicePollSerializer, request)["device_code"]
        answer = devices.poll(device_code=device_code, actor=actor_of(request))
        if isinstance(answer, devices.DeviceRefusal):
            body = {"error": answer.code, "error_description": answer.detail}
            return JsonResponse(body, status=400)
        return Response({"access_token": answer.value, "token_type": "Bearer", "token_id": answer.token.id})
