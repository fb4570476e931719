"""The operator's management API: every organization, and support access to it."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.models import Organization, SupportAccess, SupportLevel
from apps.orgs.selectors import operator as selectors
from apps.orgs.selectors import support as support_selectors
from apps.orgs.services import limits, suspension
from apps.orgs.services import support as support_services
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import NotFound
from brokle.web.api import ApiViewSet, Filter
from brokle.web.operators import OperatorOnly, acting_operator
from brokle.web.parsing import parsed

_HIGHEST = 1_000_000


class OperatorOrganizationSerializer(serializers.ModelSerializer[Organization]):
    """An organization as the operator sees it."""

    members = serializers.IntegerField(source="member_count")
    projects = serializers.IntegerField(source="project_count")
    state = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = (
            *("id", "name", "slug", "state", "plan", "members_limit", "projects_limit", "members", "projects"),
            *("suspended_at", "suspension_reason", "purge_at", "created_at"),
        )

    @extend_schema_field(serializers.ChoiceField(choices=selectors.STATES))
    def get_state(self, organization: Organization) -> str:
        return selectors.state_of(organization)


class LimitsSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(max_length=40, required=False)
    members_limit = serializers.IntegerField(
        min_value=1, max_value=_HIGHEST, required=False, allow_null=True, help_text="null: as the plan says."
    )
    projects_limit = serializers.IntegerField(
        min_value=1, max_value=_HIGHEST, required=False, allow_null=True, help_text="null: as the plan says."
    )


class SuspensionSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=suspension.REASON_LONGEST, help_text="Its members read it.")


class NewSupportAccessSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=support_services.REASON_LONGEST, help_text="Its owners read it.")
    level = serializers.ChoiceField(
        choices=SupportLevel.values, default="look", help_text="look: as a viewer; help: as an administrator."
    )


class SupportAccessSerializer(serializers.ModelSerializer[SupportAccess]):
    """An hour in an organization whose member one is not."""

    class Meta:
        model = SupportAccess
        fields = ("id", "organization_id", "user_id", "level", "reason", "started_at", "expires_at", "ended_at")


class OperatorOrganizationEndpoints(ApiViewSet):
    """For people who run the installation; for everybody else, and for API keys, there is nothing here."""

    key_scope = None
    permission_classes = (OperatorOnly,)
    serializer_class = OperatorOrganizationSerializer
    queryset = Organization.objects.none()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("q", "Part of a name, a slug or a member's e-mail, or a whole id.", selectors.matching),
        Filter("state", "Only those in this state.", selectors.in_state, selectors.STATES),
        Filter("plan", "Only those on this plan.", lambda rows, value: rows.filter(plan=value)),
    )

    @extend_schema(
        summary="List organizations of the installation", responses=OperatorOrganizationSerializer(many=True)
    )
    def list(self, request: Any) -> Response:
        return self.page_of(selectors.organizations_of_all())

    @extend_schema(summary="Get an organization as its operator")
    def retrieve(self, request: Any, organization_id: str) -> Response:
        return self._answer_with(organization_id)

    @extend_schema(
        summary="Set an organization's plan and limits",
        request=LimitsSerializer,
        responses=OperatorOrganizationSerializer,
    )
    def partial_update(self, request: Any, organization_id: str) -> Response:
        organization, asked = self._get(organization_id), parsed(LimitsSerializer, request)
        kept = {name: getattr(organization, name) for name in ("plan", "members_limit", "projects_limit")}
        limits.set_limits(organization_id=organization_id, actor=acting_operator(request), **{**kept, **asked})
        return self._answer_with(organization_id)

    @extend_schema(
        summary="Suspend an organization; its API keys stop within a second",
        request=SuspensionSerializer,
        responses=OperatorOrganizationSerializer,
    )
    def suspend(self, request: Any, organization_id: str) -> Response:
        asked = parsed(SuspensionSerializer, request)
        suspension.suspend_organization(organization_id=organization_id, actor=acting_operator(request), **asked)
        return self._answer_with(organization_id)

    @extend_schema(
        summary="Open a suspended organization again", request=None, responses=OperatorOrganizationSerializer
    )
    def resume(self, request: Any, organization_id: str) -> Response:
        suspension.resume_organization(organization_id=organization_id, actor=acting_operator(request))
        return self._answer_with(organization_id)

    @extend_schema(
        summary="Begin support access: an hour as viewer or administrator, which its owners are told of",
        request=NewSupportAccessSerializer,
        responses={201: SupportAccessSerializer},
    )
    def begin_support(self, request: Any, organization_id: str) -> Response:
        asked = parsed(NewSupportAccessSerializer, request)
        access = support_services.begin_support(
            organization_id=organization_id, user_id=str(request.user.pk), actor=acting_operator(request), **asked
        )
        return Response(SupportAccessSerializer(access).data, status=201)

    @extend_schema(summary="End your support access before its time", responses={204: None})
    def end_support(self, request: Any, organization_id: str) -> Response:
        running = support_selectors.running_of(str(request.user.pk), now=utc_now())
        access = running.filter(organization_id=organization_id).first()
        if access is None:
            raise NotFound
        support_services.end_support(access=access, actor=acting_operator(request))
        return Response(status=204)

    def _get(self, organization_id: str) -> Organization:
        return get_object_or_404(selectors.organizations_of_all(), id=organization_id)

    def _answer_with(self, organization_id: str) -> Response:
        return Response(self.get_serializer(self._get(organization_id)).data)
