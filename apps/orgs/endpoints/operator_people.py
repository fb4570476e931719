"""The operator's management API: every person, and what lets them in or keeps them out."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.selectors import operator as selectors
from apps.users import facade as users
from brokle.web.api import ApiViewSet, Filter
from brokle.web.operators import OperatorOnly, acting_operator
from brokle.web.parsing import parsed


class OperatorPersonLineSerializer(serializers.Serializer[Any]):
    """A person in a list."""

    id = serializers.CharField()
    email = serializers.EmailField()
    name = serializers.CharField()
    is_operator = serializers.BooleanField(source="is_staff")
    is_locked = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_is_locked(self, person: Any) -> bool:
        return not person.is_active


class PersonOrganizationSerializer(serializers.Serializer[Any]):
    """Where the person is a member."""

    id = serializers.CharField(source="organization_id")
    name = serializers.CharField(source="organization.name")
    slug = serializers.CharField(source="organization.slug")
    role = serializers.CharField()


class OperatorPersonSerializer(serializers.Serializer[Any]):
    """How an account is kept."""

    id = serializers.CharField()
    email = serializers.EmailField()
    name = serializers.CharField()
    language = serializers.CharField()
    is_verified = serializers.BooleanField(help_text="Whether the e-mail address is confirmed.")
    is_operator = serializers.BooleanField()
    is_locked = serializers.BooleanField()
    locked_at = serializers.DateTimeField(allow_null=True)
    lock_reason = serializers.CharField()
    second_factors = serializers.ListField(
        child=serializers.CharField(), help_text="Any of totp, webauthn and recovery_codes."
    )
    sessions = serializers.IntegerField(help_text="Of browsers.")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    organizations = serializers.SerializerMethodField()

    @extend_schema_field(PersonOrganizationSerializer(many=True))
    def get_organizations(self, person: Any) -> Any:
        return PersonOrganizationSerializer(selectors.memberships_of_person(person.id), many=True).data


class LockSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, help_text="Operators read it.")


class OperatorPersonEndpoints(ApiViewSet):
    """For people who run the installation; for everybody else, and for API keys, there is nothing here."""

    key_scope = None
    permission_classes = (OperatorOnly,)
    serializer_class = OperatorPersonLineSerializer
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter("q", "Part of an e-mail address or a name, or a whole id.", users.people_matching),
        Filter(
            "is_operator",
            "Only operators, or only others.",
            lambda rows, value: rows.filter(is_staff=value == "true"),
            ("true", "false"),
        ),
        Filter(
            "is_locked",
            "Only locked people, or only others.",
            lambda rows, value: rows.filter(is_active=value == "false"),
            ("true", "false"),
        ),
    )

    @extend_schema(summary="List people of the installation", responses=OperatorPersonLineSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(users.people())

    @extend_schema(summary="Get a person", responses=OperatorPersonSerializer)
    def retrieve(self, request: Any, person_id: str) -> Response:
        return self._answer_with(person_id)

    @extend_schema(
        summary="Lock an account; its sessions end and its tokens are refused within a second",
        request=LockSerializer,
        responses=OperatorPersonSerializer,
    )
    def lock(self, request: Any, person_id: str) -> Response:
        asked = parsed(LockSerializer, request)
        users.lock_person(user_id=person_id, actor=acting_operator(request), **asked)
        return self._answer_with(person_id)

    @extend_schema(summary="Unlock an account", request=None, responses=OperatorPersonSerializer)
    def unlock(self, request: Any, person_id: str) -> Response:
        users.unlock_person(user_id=person_id, actor=acting_operator(request))
        return self._answer_with(person_id)

    @extend_schema(
        summary="End every session of a person, of browsers and programs",
        request=None,
        responses=OperatorPersonSerializer,
    )
    def end_sessions(self, request: Any, person_id: str) -> Response:
        users.end_sessions(user_id=person_id, actor=acting_operator(request))
        return self._answer_with(person_id)

    @extend_schema(
        summary="Remove a person's second factors; they get a mail",
        request=None,
        responses=OperatorPersonSerializer,
    )
    def remove_second_factors(self, request: Any, person_id: str) -> Response:
        users.remove_second_factors(user_id=person_id, actor=acting_operator(request))
        return self._answer_with(person_id)

    @extend_schema(
        summary="Mark a person's e-mail address as verified", request=None, responses=OperatorPersonSerializer
    )
    def verify_address(self, request: Any, person_id: str) -> Response:
        users.verify_address(user_id=person_id, actor=acting_operator(request))
        return self._answer_with(person_id)

    @extend_schema(summary="Send a person the mail that leads to a new password", request=None, responses={202: None})
    def send_password_reset(self, request: Any, person_id: str) -> Response:
        users.send_password_reset(
            request._request,  # noqa: SLF001 - allauth's door
            user_id=person_id,
            actor=acting_operator(request),
        )
        return Response(status=202)

    @extend_schema(summary="Make a person an operator", request=None, responses=OperatorPersonSerializer)
    def make_operator(self, request: Any, person_id: str) -> Response:
        users.make_operator(user_id=person_id, actor=acting_operator(request))
        return self._answer_with(person_id)

    @extend_schema(
        summary="Take the operator's mark back; never from the last one, never from yourself", responses={204: None}
    )
    def unmake_operator(self, request: Any, person_id: str) -> Response:
        users.unmake_operator(user_id=person_id, actor=acting_operator(request))
        return Response(status=204)

    def _answer_with(self, person_id: str) -> Response:
        return Response(OperatorPersonSerializer(users.describe_person(user_id=person_id)).data)
