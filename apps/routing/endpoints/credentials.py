"""The management API of keys to providers: written, never read."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs import facade as orgs
from apps.routing.endpoints.places import ENVIRONMENT, provider_of
from apps.routing.models import Credential, Provider
from apps.routing.selectors.credentials import credentials_of
from apps.routing.services import credentials
from apps.routing.services.providers import refuse_file_owned
from brokle.kernel.errors import NotFound
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed


class CredentialSerializer(serializers.ModelSerializer[Credential]):
    """A key to a provider; the key itself is nowhere to be read."""

    class Meta:
        model = Credential
        fields = ("id", "provider_id", "environment_id", "name", "hint", "weight", "rotated_at", "created_at")


class CredentialChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60, required=False)
    weight = serializers.IntegerField(
        min_value=0, max_value=10_000, required=False, help_text="How often it is taken beside the others."
    )


class NewCredentialSerializer(CredentialChangesSerializer):
    api_key = serializers.CharField(max_length=8192, write_only=True, help_text="Never shown again.")
    name = serializers.CharField(max_length=60)
    environment_id = serializers.CharField(
        max_length=40, required=False, help_text="Only for this environment, where it shuts out the shared ones."
    )


class SecretSerializer(serializers.Serializer[Any]):
    api_key = serializers.CharField(max_length=8192, write_only=True, help_text="Takes the place of the former one.")


class CredentialEndpoints(ApiViewSet):
    serializer_class = CredentialSerializer
    queryset = Credential.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("name", "Keys of this name.", lambda rows, value: rows.filter(name=value)),
        Filter("environment_id", "Only this environment's.", lambda rows, value: rows.filter(environment_id=value)),
    )

    @extend_schema(
        summary="List keys to a provider", parameters=[ENVIRONMENT], responses=CredentialSerializer(many=True)
    )
    def list(self, request: Any, provider_id: str) -> Response:
        provider = provider_of(request, "providers.read", provider_id)
        return self.page_of(credentials_of(provider.organization_id, provider_id=provider.id))

    @extend_schema(
        summary="Add a key to a provider",
        parameters=[ENVIRONMENT],
        request=NewCredentialSerializer,
        responses={201: CredentialSerializer},
    )
    def create(self, request: Any, provider_id: str) -> Response:
        provider = _changeable(request, provider_id)
        asked = parsed(NewCredentialSerializer, request)
        if asked.get("environment_id"):
            _demand_environment(provider, asked["environment_id"])
        secret = asked.pop("api_key")
        made = credentials.add_credential(provider=provider, secret=secret, actor=actor_of(request), **asked)
        location = f"/api/v1/providers/{provider_id}/credentials/{made.id}"
        return Response(self.get_serializer(made).data, status=201, headers={"location": location})

    @extend_schema(summary="Get what is told of a key", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, provider_id: str, credential_id: str) -> Response:
        provider = provider_of(request, "providers.read", provider_id)
        return Response(self.get_serializer(_credential(provider, credential_id)).data)

    @extend_schema(
        summary="Change the name or weight of a key", parameters=[ENVIRONMENT], request=CredentialChangesSerializer
    )
    def partial_update(self, request: Any, provider_id: str, credential_id: str) -> Response:
        credential = _credential(_changeable(request, provider_id), credential_id)
        asked = parsed(CredentialChangesSerializer, request)
        changed = credentials.update_credential(credential=credential, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Remove a key to a provider", parameters=[ENVIRONMENT], responses={204: None})
    def destroy(self, request: Any, provider_id: str, credential_id: str) -> Response:
        credential = _credential(_changeable(request, provider_id), credential_id)
        credentials.remove_credential(credential=credential, actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Put another key in its place",
        parameters=[ENVIRONMENT],
        request=SecretSerializer,
        responses=CredentialSerializer,
    )
    def rotate(self, request: Any, provider_id: str, credential_id: str) -> Response:
        credential = _credential(_changeable(request, provider_id), credential_id)
        secret = parsed(SecretSerializer, request)["api_key"]
        changed = credentials.rotate_credential(credential=credential, secret=secret, actor=actor_of(request))
        return Response(self.get_serializer(changed).data)


def _changeable(request: Any, provider_id: str) -> Provider:
    provider = provider_of(request, "providers.manage", provider_id)
    refuse_file_owned(provider)
    return provider


def _credential(provider: Provider, credential_id: str) -> Credential:
    return get_object_or_404(credentials_of(provider.organization_id, provider_id=provider.id), id=credential_id)


def _demand_environment(provider: Provider, environment_id: str) -> None:
    """One of the same organization, and of the provider's project where it has one."""
    project_id = orgs.find_project_of_environment(
        organization_id=provider.organization_id, environment_id=environment_id
    )
    if project_id is None or provider.project_id not in {None, project_id}:
        raise NotFound
