"""The management API of members, of their roles in projects, and of invitations."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.models import Invitation, Membership, ProjectMembership, Role
from apps.orgs.selectors import members as selectors
from apps.orgs.selectors.access import link_of, standing_at, standing_of_call
from apps.orgs.selectors.projects import projects_for
from apps.orgs.services import invitations, members
from brokle.edge.principal import Principal
from brokle.kernel.errors import Forbidden
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed


class MemberSerializer(serializers.ModelSerializer[Membership]):
    user_id = serializers.CharField()
    name = serializers.CharField(source="user.name")
    email = serializers.EmailField(source="user.email")

    class Meta:
        model = Membership
        fields = ("id", "user_id", "name", "email", "role", "created_at")


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class ProjectMemberSerializer(serializers.ModelSerializer[ProjectMembership]):
    member_id = serializers.CharField(source="membership_id")
    user_id = serializers.CharField(source="membership.user_id")
    email = serializers.EmailField(source="membership.user.email")

    class Meta:
        model = ProjectMembership
        fields = ("id", "project_id", "member_id", "user_id", "email", "role", "created_at")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = (
            *("id", "email", "role", "language", "invited_by", "created_at", "sent_at", "expires_at"),
            *("accepted_at", "revoked_at"),
        )


class SentInvitationSerializer(InvitationSerializer):
    """An invitation with its address, whole for this one time."""

    url = serializers.CharField(help_text="What the mail leads to. Shown once; only its hash is kept.")

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "url")


class NewInvitationSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)
    language = serializers.ChoiceField(choices=("en", "ar"), default="en", help_text="Of the mail.")


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=100, help_text="The last part of the invitation's address.")


_BY_ROLE = Filter("role", "Only this role.", lambda rows, value: rows.filter(role=value), tuple(Role.values))


class MemberEndpoints(ApiViewSet):
    serializer_class = MemberSerializer
    queryset = Membership.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (
        _BY_ROLE,
        Filter("email", "The member with this address.", lambda rows, value: rows.filter(user__email=value.lower())),
    )

    @extend_schema(summary="List members", responses=MemberSerializer(many=True))
    def list(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.read")
        return self.page_of(selectors.members_of(standing.organization.id))

    @extend_schema(summary="Get a member")
    def retrieve(self, request: Any, organization_id: str, member_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.read")
        member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
        return Response(self.get_serializer(member).data)

    @extend_schema(summary="Change a member's role", request=RoleSerializer, responses=MemberSerializer)
    def partial_update(self, request: Any, organization_id: str, member_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.manage")
        member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
        role = parsed(RoleSerializer, request)["role"]
        members.change_role(standing=standing, membership=member, role=role, actor=actor_of(request))
        return Response(self.get_serializer(selectors.members_of(standing.organization.id).get(id=member_id)).data)

    @extend_schema(summary="Remove a member, or leave", responses={204: None})
    def destroy(self, request: Any, organization_id: str, member_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        if member_id != standing.membership_id:
            standing.demand("members.manage")
        member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
        members.remove_member(standing=standing, membership=member, actor=actor_of(request))
        return Response(status=204)


class ProjectMemberEndpoints(ApiViewSet):
    """Roles that count in one project."""

    serializer_class = ProjectMemberSerializer
    queryset = ProjectMembership.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (_BY_ROLE,)

    @extend_schema(summary="List roles in a project", responses=ProjectMemberSerializer(many=True))
    def list(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(projects_for(standing), id=project_id)
        standing.demand("members.read")
        return self.page_of(selectors.project_members_of(standing.organization.id, project_id=project.id))

    @extend_schema(summary="Give a member a role in a project", request=RoleSerializer)
    def update(self, request: Any, project_id: str, member_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(projects_for(standing), id=project_id)
        standing.demand("members.manage")
        member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
        role = parsed(RoleSerializer, request)["role"]
        held = members.set_project_role(membership=member, project=project, role=role, actor=actor_of(request))
        return Response(self.get_serializer(held).data)

    @extend_schema(summary="Take a member's role in a project back", responses={204: None})
    def destroy(self, request: Any, project_id: str, member_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(projects_for(standing), id=project_id)
        standing.demand("members.manage")
        rows = selectors.project_members_of(standing.organization.id, project_id=project.id)
        members.remove_project_role(held=get_object_or_404(rows, membership_id=member_id), actor=actor_of(request))
        return Response(status=204)


class InvitationEndpoints(ApiViewSet):
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("email", "Invitations of this address.", lambda rows, value: rows.filter(email=value.lower())),
        Filter(
            "status",
            "Only open, accepted or revoked ones.",
            lambda rows, value: rows.filter(
                accepted_at__isnull=value != "accepted", revoked_at__isnull=value != "revoked"
            ),
            ("open", "accepted", "revoked"),
        ),
    )

    @extend_schema(summary="List invitations", responses=InvitationSerializer(many=True))
    def list(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.read")
        return self.page_of(selectors.invitations_of(standing.organization.id))

    @extend_schema(
        summary="Invite somebody by e-mail",
        request=NewInvitationSerializer,
        responses={201: SentInvitationSerializer},
    )
    def create(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.manage")
        asked = parsed(NewInvitationSerializer, request)
        sent = invitations.invite(standing=standing, link=link_of(request), actor=actor_of(request), **asked)
        return self._sent(sent, 201)

    @extend_schema(summary="Get an invitation")
    def retrieve(self, request: Any, organization_id: str, invitation_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.read")
        found = get_object_or_404(selectors.invitations_of(standing.organization.id), id=invitation_id)
        return Response(self.get_serializer(found).data)

    @extend_schema(summary="Take an invitation back", responses={204: None})
    def destroy(self, request: Any, organization_id: str, invitation_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.manage")
        found = get_object_or_404(selectors.invitations_of(standing.organization.id), id=invitation_id)
        invitations.revoke(invitation=found, actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Send an invitation again; the former mail stops working",
        request=None,
        responses=SentInvitationSerializer,
    )
    def resend(self, request: Any, organization_id: str, invitation_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("members.manage")
        found = get_object_or_404(selectors.invitations_of(standing.organization.id), id=invitation_id)
        sent = invitations.resend(invitation=found, link=link_of(request), actor=actor_of(request))
        return self._sent(sent, 200)

    @extend_schema(summary="Accept an invitation", request=TokenSerializer, responses=MemberSerializer)
    def accept(self, request: Any) -> Response:
        if isinstance(request.auth, Principal):
            raise Forbidden("API keys cannot accept invitations; sign in, or use a personal access token")
        membership = invitations.accept(
            token=parsed(TokenSerializer, request)["token"],
            user_id=str(request.user.pk),
            email=request.user.email,
            actor=actor_of(request),
        )
        return Response(MemberSerializer(membership).data)

    def _sent(self, sent: invitations.Sent, status: int) -> Response:
        sent.invitation.url = sent.url  # type: ignore[attr-defined]
        return Response(SentInvitationSerializer(sent.invitation).data, status=status)
