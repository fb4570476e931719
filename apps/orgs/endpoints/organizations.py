"""The management API of organizations."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.models import Organization
from apps.orgs.selectors import organizations
from apps.orgs.selectors.access import refusal, standing_of_call
from apps.orgs.services import onboarding
from apps.orgs.services import organizations as services
from brokle.edge.principal import Principal
from brokle.kernel.errors import Forbidden, NotFound
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    class Meta:
        model = Organization
        fields = ("id", "name", "slug", "plan", "purge_at", "created_at")


class NewOrganizationSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(max_length=50, required=False, help_text="Made from the name when left out.")


class OrganizationChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.SlugField(max_length=50, required=False, help_text="Addresses of the console change with it.")


class TransferSerializer(serializers.Serializer[Any]):
    user_id = serializers.CharField(max_length=40, help_text="A member; becomes the owner, and you an administrator.")


class OrganizationEndpoints(ApiViewSet):
    serializer_class = OrganizationSerializer
    queryset = Organization.objects.none()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("slug", "The organization with this slug.", lambda rows, value: rows.filter(slug=value.lower())),
    )

    def own(self) -> QuerySet[Organization]:
        auth = self.request.auth
        if isinstance(auth, Principal):
            return organizations.organizations_of_key(organization_id=auth.organization_id)
        return organizations.organizations_of_person(user_id=str(self.request.user.pk))

    @extend_schema(summary="List your organizations", responses=OrganizationSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(self.own())

    @extend_schema(
        summary="Create an organization", request=NewOrganizationSerializer, responses={201: OrganizationSerializer}
    )
    def create(self, request: Any) -> Response:
        if isinstance(request.auth, Principal):
            raise Forbidden("API keys cannot create organizations; sign in, or use a personal access token")
        asked = parsed(NewOrganizationSerializer, request)
        new = onboarding.found_organization(user_id=str(request.user.pk), actor=actor_of(request), **asked)
        body = OrganizationSerializer(new.organization).data
        return Response(body, status=201, headers={"location": f"/api/v1/organizations/{new.organization.id}"})

    @extend_schema(summary="Get an organization of yours")
    def retrieve(self, request: Any, organization_id: str) -> Response:
        found = self.own().filter(id=organization_id).first()
        if found is None:
            raise refusal(request, organization_id=organization_id)
        return Response(self.get_serializer(found).data)

    @extend_schema(
        summary="Rename an organization", request=OrganizationChangesSerializer, responses=OrganizationSerializer
    )
    def partial_update(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("organization.update")
        asked = parsed(OrganizationChangesSerializer, request)
        changed = services.update_organization(
            organization_id=standing.organization.id, actor=actor_of(request), **asked
        )
        return Response(OrganizationSerializer(changed).data)

    @extend_schema(
        summary="Delete an organization; its keys stop at once, its data is kept for a grace of 14 days",
        responses={202: OrganizationSerializer},
    )
    def destroy(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("organization.delete")
        closing = services.request_deletion(organization_id=standing.organization.id, actor=actor_of(request))
        return Response(OrganizationSerializer(closing).data, status=202)

    @extend_schema(summary="Call a deletion off", request=None, responses=OrganizationSerializer)
    def restore(self, request: Any, organization_id: str) -> Response:
        if isinstance(request.auth, Principal):
            raise NotFound
        standing = organizations.find_standing_in_grace(user_id=str(request.user.pk), organization_id=organization_id)
        if standing is None:
            raise refusal(request, organization_id=organization_id)
        standing.demand("organization.delete")
        restored = services.restore_organization(organization_id=standing.organization.id, actor=actor_of(request))
        return Response(OrganizationSerializer(restored).data)

    @extend_schema(
        summary="Hand an organization to another member", request=TransferSerializer, responses=OrganizationSerializer
    )
    def transfer(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("organization.transfer")
        asked = parsed(TransferSerializer, request)
        services.transfer_organization(
            organization_id=standing.organization.id,
            to_user_id=asked["user_id"],
            from_user_id=standing.user_id,
            actor=actor_of(request),
        )
        return Response(OrganizationSerializer(self.own().get(id=organization_id)).data)
