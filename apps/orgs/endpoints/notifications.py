"""The management API of a person's notifications."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.models import Notification
from apps.orgs.selectors.destinations import paths_to
from apps.orgs.selectors.notifications import Choice, list_choices, notifications_of
from apps.orgs.services import notifications
from brokle.edge.principal import Principal
from brokle.kernel.errors import Forbidden
from brokle.kernel.extensions import find_event_type
from brokle.web.api import ApiViewSet, Filter
from brokle.web.links import absolute_url
from brokle.web.parsing import parsed


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    title = serializers.SerializerMethodField(help_text="What happened, in the caller's language.")
    url = serializers.SerializerMethodField(help_text="The page of what it tells of, as far as you may see it.")

    class Meta:
        model = Notification
        fields = (
            "id",
            "organization_id",
            "event",
            "event_id",
            "title",
            "about",
            "subject_id",
            "url",
            "created_at",
            "read_at",
        )

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, notification: Notification) -> str:
        return absolute_url(self._paths[notification.id], self.context["request"])

    @cached_property
    def _paths(self) -> dict[str, str]:
        """Of all that are answered with at once."""
        rows = self.parent.instance if self.parent is not None else [self.instance]
        return paths_to(rows)

    @extend_schema_field(OpenApiTypes.STR)
    def get_title(self, notification: Notification) -> str:
        event = find_event_type(notification.event)
        return gettext(event.title) if event else notification.event


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class PreferenceSerializer(serializers.Serializer[Any]):
    event = serializers.CharField()
    title = serializers.CharField()
    in_app = serializers.BooleanField(help_text="In the console.")
    email = serializers.BooleanField(help_text="By e-mail.")


class PreferenceChangesSerializer(serializers.Serializer[Any]):
    event = serializers.CharField(max_length=80)
    in_app = serializers.BooleanField(required=False)
    email = serializers.BooleanField(required=False)


class NotificationEndpoints(ApiViewSet):
    """Your own notifications, of all your organizations."""

    serializer_class = NotificationSerializer
    queryset = Notification.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter(
            "status",
            "Only read or unread ones.",
            lambda rows, value: rows.filter(read_at__isnull=value == "unread"),
            ("read", "unread"),
        ),
        Filter("organization", "Only of this organization.", lambda rows, value: rows.filter(organization_id=value)),
        Filter("event", "Only this kind of event.", lambda rows, value: rows.filter(event=value)),
    )

    def own(self) -> QuerySet[Notification]:
        return notifications_of(_person(self.request))

    @extend_schema(summary="List your notifications", responses=NotificationSerializer(many=True))
    def list(self, request: Any) -> Response:
        return self.page_of(self.own())

    @extend_schema(summary="Mark a notification as read", request=None, responses=NotificationSerializer)
    def read(self, request: Any, notification_id: str) -> Response:
        found = get_object_or_404(self.own(), id=notification_id)
        return Response(self.get_serializer(notifications.mark_read(notification=found)).data)

    @extend_schema(summary="Mark all your notifications as read", request=None, responses=CountSerializer)
    def read_all(self, request: Any) -> Response:
        return Response({"count": notifications.mark_all_read(user_id=_person(request))})


class PreferenceEndpoints(ApiViewSet):
    """By which way you hear of which events."""

    serializer_class = PreferenceSerializer

    @extend_schema(
        summary="List what you can be notified of, and how you are", responses=PreferenceSerializer(many=True)
    )
    def retrieve(self, request: Any) -> Response:
        return Response({"data": _preferences(list_choices(_person(request))), "next_cursor": None})

    @extend_schema(
        summary="Choose how you hear of an event",
        request=PreferenceChangesSerializer,
        responses=PreferenceSerializer(many=True),
    )
    def partial_update(self, request: Any) -> Response:
        user_id = _person(request)
        notifications.choose(user_id=user_id, **parsed(PreferenceChangesSerializer, request))
        return Response({"data": _preferences(list_choices(user_id)), "next_cursor": None})


def _person(request: Any) -> str:
    if isinstance(request.auth, Principal):
        raise Forbidden("API keys have no notifications; sign in, or use a personal access token")
    return str(request.user.pk)


def _preferences(choices: list[Choice]) -> list[dict[str, Any]]:
    return [
        {
            "event": choice.event.key,
            "title": gettext(choice.event.title),
            "in_app": choice.channels.in_app,
            "email": choice.channels.email,
        }
        for choice in choices
    ]
