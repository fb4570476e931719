"""The management API of webhooks, their deliveries and the catalogue of events."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.contracts import Standing
from apps.orgs.models import DeliveryStatus, Webhook, WebhookAttempt, WebhookDelivery
from apps.orgs.selectors import webhooks as selectors
from apps.orgs.selectors.access import standing_of_call
from apps.orgs.services import deliveries, webhooks
from brokle.kernel.extensions import event_types
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed

_URL_HELP = "https, a public host, no user name or password."
_TYPES_HELP = "Keys of `/api/v1/event-types`; none means all, also those that come later."


class EventTypeSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook without its secret."""

    event_types = serializers.ListField(child=serializers.CharField(), help_text=_TYPES_HELP)

    class Meta:
        model = Webhook
        fields = (
            *("id", "organization_id", "url", "description", "event_types", "is_enabled", "disabled_at"),
            *("disabled_reason", "failing_since", "previous_secret_until", "created_at"),
        )


class RevealedWebhookSerializer(WebhookSerializer):
    """A webhook with its secret, whole for this one time."""

    secret = serializers.CharField(help_text="`whsec_…`: verify signatures with it. Shown once.")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")


class NewWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, help_text=_URL_HELP)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=serializers.CharField(max_length=80), max_length=200, required=False, help_text=_TYPES_HELP
    )


class WebhookChangesSerializer(NewWebhookSerializer):
    url = serializers.CharField(max_length=2000, required=False, help_text=_URL_HELP)
    is_enabled = serializers.BooleanField(required=False)


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "webhook_id", "event_id", "event", "status", "attempts", "response_status", "error"),
            *("created_at", "next_attempt_at", "finished_at"),
        )


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt
        fields = ("number", "at", "duration_ms", "url", "response_status", "response_excerpt", "error")


class WholeDeliverySerializer(DeliverySerializer):
    """A delivery with what was sent and what came back."""

    body = serializers.CharField(help_text="What is sent, byte for byte, under the `webhook-id` of `event_id`.")
    log = serializers.SerializerMethodField(help_text="The attempts, newest first.")

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "body", "log")

    @extend_schema_field(AttemptSerializer(many=True))
    def get_log(self, delivery: WebhookDelivery) -> Any:
        rows = selectors.attempts_of(delivery.organization_id, delivery_id=delivery.id)
        return AttemptSerializer(rows, many=True).data


class EventTypeEndpoints(ApiViewSet):
    """What can happen; rooms add to it."""

    serializer_class = EventTypeSerializer

    @extend_schema(summary="List the kinds of events", responses=EventTypeSerializer(many=True))
    def retrieve(self, request: Any) -> Response:
        found = [{"key": event.key, "title": gettext(event.title)} for event in event_types.collect()]
        return Response({"data": sorted(found, key=lambda event: event["key"]), "next_cursor": None})


class WebhookEndpoints(ApiViewSet):
    """Addresses of an organization that are told of events, signed by Standard Webhooks."""

    serializer_class = WebhookSerializer
    queryset = Webhook.objects.across_organizations().none()

    @extend_schema(summary="List webhooks", responses=WebhookSerializer(many=True))
    def list(self, request: Any, organization_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.read")
        return self.page_of(selectors.webhooks_of(standing.organization.id))

    @extend_schema(summary="Create a webhook", request=NewWebhookSerializer, responses={201: RevealedWebhookSerializer})
    def create(self, request: Any, organization_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        asked = parsed(NewWebhookSerializer, request)
        made = webhooks.create_webhook(organization_id=standing.organization.id, actor=actor_of(request), **asked)
        location = f"/api/v1/organizations/{organization_id}/webhooks/{made.webhook.id}"
        return Response(_revealed(made), status=201, headers={"location": location})

    @extend_schema(summary="Get a webhook")
    def retrieve(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.read")
        return Response(self.get_serializer(_webhook(standing, webhook_id)).data)

    @extend_schema(
        summary="Change, enable or disable a webhook", request=WebhookChangesSerializer, responses=WebhookSerializer
    )
    def partial_update(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        webhook = _webhook(standing, webhook_id)
        asked = parsed(WebhookChangesSerializer, request)
        changed = webhooks.update_webhook(webhook=webhook, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Delete a webhook with its deliveries", responses={204: None})
    def destroy(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        webhooks.delete_webhook(webhook=_webhook(standing, webhook_id), actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Make a new secret; the former one signs beside it for 24 hours",
        request=None,
        responses=RevealedWebhookSerializer,
    )
    def rotate_secret(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        webhook = _webhook(standing, webhook_id)
        return Response(_revealed(webhooks.rotate_secret(webhook=webhook, actor=actor_of(request))))

    @extend_schema(summary="Send a test message", request=None, responses={202: DeliverySerializer})
    def test(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        sent = deliveries.send_test(webhook=_webhook(standing, webhook_id), actor=actor_of(request))
        return Response(DeliverySerializer(sent).data, status=202)


class DeliveryEndpoints(ApiViewSet):
    """What was sent to a webhook, for 30 days."""

    serializer_class = DeliverySerializer
    queryset = WebhookDelivery.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (
        Filter(
            "status",
            "Only those waiting, delivered or given up.",
            lambda rows, value: rows.filter(status=value),
            tuple(DeliveryStatus.values),
        ),
        Filter("event", "Only this kind of event.", lambda rows, value: rows.filter(event=value)),
        Filter("event_id", "The delivery of this event.", lambda rows, value: rows.filter(event_id=value)),
    )

    @extend_schema(summary="List deliveries of a webhook", responses=DeliverySerializer(many=True))
    def list(self, request: Any, organization_id: str, webhook_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.read")
        webhook = _webhook(standing, webhook_id)
        return self.page_of(selectors.deliveries_of(standing.organization.id, webhook_id=webhook.id))

    @extend_schema(summary="Get a delivery with its attempts", responses=WholeDeliverySerializer)
    def retrieve(self, request: Any, organization_id: str, webhook_id: str, delivery_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.read")
        return Response(WholeDeliverySerializer(_delivery(standing, webhook_id, delivery_id)).data)

    @extend_schema(
        summary="Deliver again, under the same `webhook-id`", request=None, responses={202: DeliverySerializer}
    )
    def replay(self, request: Any, organization_id: str, webhook_id: str, delivery_id: str) -> Response:
        standing = _standing(request, organization_id, "webhooks.manage")
        delivery = _delivery(standing, webhook_id, delivery_id)
        again = deliveries.replay(delivery=delivery, actor=actor_of(request))
        return Response(self.get_serializer(again).data, status=202)


def _standing(request: Any, organization_id: str, permission: str) -> Standing:
    standing = standing_of_call(request, organization_id=organization_id)
    standing.demand(permission)
    return standing


def _webhook(standing: Standing, webhook_id: str) -> Webhook:
    return get_object_or_404(selectors.webhooks_of(standing.organization.id), id=webhook_id)


def _delivery(standing: Standing, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    rows = selectors.deliveries_of(standing.organization.id, webhook_id=webhook_id)
    return get_object_or_404(rows, id=delivery_id)


def _revealed(made: webhooks.Revealed) -> Any:
    made.webhook.secret = made.secret
    return RevealedWebhookSerializer(made.webhook).data
