"""The management API of an organization's providers, and the test of their connection."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.routing.endpoints.places import ENVIRONMENT, demand_everywhere, place_of, provider_of
from apps.routing.models import Owner, Provider
from apps.routing.selectors.credentials import credentials_of
from apps.routing.selectors.providers import dialect_of, providers_at
from apps.routing.services import providers
from apps.routing.services.connection import check_connection
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed

_NAME = r"^[a-z0-9][a-z0-9._-]{0,59}$"


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    """A provider without its keys."""

    dialect = serializers.SerializerMethodField(help_text="The wire format it is spoken to in.")
    options = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = Provider
        fields = (
            *("id", "project_id", "name", "kind", "dialect", "base_url", "options", "is_open", "is_enabled"),
            *("owner", "checked_at", "check_ms", "check_error", "created_at"),
        )

    def get_dialect(self, provider: Provider) -> str:
        return dialect_of(provider.kind)


class ProviderChangesSerializer(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = serializers.RegexField(_NAME, required=False, help_text="What callers write before the slash.")
    base_url = serializers.CharField(
        max_length=500, required=False, help_text="The catalogue's when left out; may have places, such as `{region}`."
    )
    options = serializers.DictField(
        child=serializers.CharField(max_length=120), required=False, help_text="Fill the places of the address."
    )
    is_open = serializers.BooleanField(required=False, help_text="Whether models that nobody listed may be called.")
    is_enabled = serializers.BooleanField(required=False)


class NewProviderSerializer(ProviderChangesSerializer):
    name = serializers.RegexField(_NAME, help_text="What callers write before the slash.")
    kind = serializers.CharField(max_length=60, help_text="Its name in `/api/v1/catalogue/providers`.")
    for_all_projects = serializers.BooleanField(
        default=False, help_text="Else only this project can call it. Not with an API key."
    )
    api_key = serializers.CharField(
        max_length=8192, required=False, write_only=True, help_text="Its first key; never shown again."
    )


class CheckSerializer(serializers.Serializer[Any]):
    credential_id = serializers.CharField(
        max_length=40, required=False, help_text="The key to try; the oldest one of the environment when left out."
    )
    model = serializers.CharField(
        max_length=200, required=False, help_text="Ask this model for one token; else for the list of models."
    )


class FindingSerializer(serializers.Serializer[Any]):
    is_ok = serializers.BooleanField()
    latency_ms = serializers.IntegerField()
    status = serializers.IntegerField(help_text="The provider's; 0 when it was not reached.")
    code = serializers.CharField()
    detail = serializers.CharField(help_text="What is wrong, with the provider's own words.")
    models = serializers.IntegerField(allow_null=True, help_text="How many models it lists.")


class ProviderEndpoints(ApiViewSet):
    """Where models live: connected by the project, or shared by all projects of the organization."""

    serializer_class = ProviderSerializer
    queryset = Provider.objects.across_organizations().none()
    own_parameters = frozenset({"environment"})
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("name", "The one of this name.", lambda rows, value: rows.filter(name=value)),
        Filter("kind", "Only of this kind.", lambda rows, value: rows.filter(kind=value)),
        Filter(
            "owner", "Only people's or the file's.", lambda rows, value: rows.filter(owner=value), tuple(Owner.values)
        ),
        Filter(
            "enabled",
            "Only those that are called, or those that are not.",
            lambda rows, value: rows.filter(is_enabled=value == "yes"),
            ("yes", "no"),
        ),
    )

    @extend_schema(summary="List providers", parameters=[ENVIRONMENT], responses=ProviderSerializer(many=True))
    def list(self, request: Any) -> Response:
        place = place_of(request, "providers.read")
        return self.page_of(providers_at(place.organization_id, project_id=place.project_id))

    @extend_schema(
        summary="Connect a provider",
        parameters=[ENVIRONMENT],
        request=NewProviderSerializer,
        responses={201: ProviderSerializer},
    )
    def create(self, request: Any) -> Response:
        place = place_of(request, "providers.manage")
        asked = parsed(NewProviderSerializer, request)
        is_shared = asked.pop("for_all_projects")
        if is_shared:
            demand_everywhere(request, place, "providers.manage")
        made = providers.create_provider(
            organization_id=place.organization_id,
            project_id=None if is_shared else place.project_id,
            actor=actor_of(request),
            secret=asked.pop("api_key", ""),
            **asked,
        )
        location = f"/api/v1/providers/{made.id}"
        return Response(self.get_serializer(made).data, status=201, headers={"location": location})

    @extend_schema(summary="Get a provider", parameters=[ENVIRONMENT])
    def retrieve(self, request: Any, provider_id: str) -> Response:
        return Response(self.get_serializer(provider_of(request, "providers.read", provider_id)).data)

    @extend_schema(summary="Change a provider", parameters=[ENVIRONMENT], request=ProviderChangesSerializer)
    def partial_update(self, request: Any, provider_id: str) -> Response:
        provider = provider_of(request, "providers.manage", provider_id)
        asked = parsed(ProviderChangesSerializer, request)
        changed = providers.update_provider(provider=provider, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(
        summary="Remove a provider with its keys and models", parameters=[ENVIRONMENT], responses={204: None}
    )
    def destroy(self, request: Any, provider_id: str) -> Response:
        provider = provider_of(request, "providers.manage", provider_id)
        providers.remove_provider(provider=provider, actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Test the connection by a real call",
        parameters=[ENVIRONMENT],
        request=CheckSerializer,
        responses=FindingSerializer,
    )
    def test(self, request: Any, provider_id: str) -> Response:
        place = place_of(request, "providers.manage")
        provider = provider_of(request, "providers.manage", provider_id)
        asked = parsed(CheckSerializer, request)
        rows = credentials_of(place.organization_id, provider_id=provider.id).order_by("id")
        if asked.get("credential_id"):
            credential = get_object_or_404(rows, id=asked["credential_id"])
        else:
            own = rows.filter(environment_id=place.environment_id).first()
            credential = own or rows.filter(environment=None).first()
        found = check_connection(
            provider=provider, credential=credential, actor=actor_of(request), model=asked.get("model", "")
        )
        return Response(FindingSerializer(found).data)
