"""The management API of the audit log."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.selectors import audit as selectors
from apps.orgs.selectors.access import standing_of_call
from brokle.ground.models import AuditEntry
from brokle.ground.services import audit
from brokle.kernel.errors import BadRequest
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.exports import download

_FORMATS = ("csv", "json")


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    id = serializers.CharField(source="entry_id")

    class Meta:
        model = AuditEntry
        fields = (
            *("id", "sequence", "at", "actor_kind", "actor_id", "action", "target_kind", "target_id"),
            *("before", "after", "ip", "user_agent", "request_id", "previous_hash", "hash"),
        )


def moment(value: str, name: str) -> datetime:
    """In UTC, where every time is one that PostgreSQL can hold."""
    try:
        found = parse_datetime(value)
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(f"`{name}` is a time such as 2026-01-31T12:00:00Z", field=name)


def _since(rows: QuerySet[AuditEntry], value: str) -> QuerySet[AuditEntry]:
    return selectors.since(rows, moment(value, "since"))


def _until(rows: QuerySet[AuditEntry], value: str) -> QuerySet[AuditEntry]:
    return selectors.until(rows, moment(value, "until"))


FILTERS = (
    Filter("action", "`key.revoked`, or `key` for all about keys.", selectors.about_action),
    Filter("actor", "Id of who did it.", lambda rows, value: rows.filter(actor_id=value)),
    Filter("target", "Id of what it was done to.", lambda rows, value: rows.filter(target_id=value)),
    Filter("since", "From this time on.", _since),
    Filter("until", "Before this time.", _until),
)


class AuditEndpoints(ApiViewSet):
    """Every change in the organization, chained by hash."""

    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()
    cursor_field = "entry_id"
    filters: ClassVar[tuple[Filter, ...]] = FILTERS

    @extend_schema(summary="List audit entries", responses=AuditEntrySerializer(many=True))
    def list(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("audit.read")
        return self.page_of(selectors.entries_of(standing.organization.id))


class AuditExportEndpoints(ApiViewSet):
    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()
    filters: ClassVar[tuple[Filter, ...]] = FILTERS
    own_parameters = frozenset({"format", *(declared.name for declared in FILTERS)})

    @extend_schema(
        summary="Export audit entries, all that the filters leave",
        parameters=[
            OpenApiParameter("format", str, enum=_FORMATS, description="csv unless told."),
            *(OpenApiParameter(declared.name, str, description=declared.meaning) for declared in FILTERS),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): AuditEntrySerializer(many=True)},
    )
    def retrieve(self, request: Any, organization_id: str) -> StreamingHttpResponse:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("audit.read")
        kind = request.query_params.get("format", "csv")
        if kind not in _FORMATS:
            raise BadRequest("`format` is csv or json", field="format")
        rows = self.filtered(selectors.entries_of(standing.organization.id))
        audit(
            organization_id=standing.organization.id,
            actor=actor_of(request),
            action="audit.exported",
            target_kind="organization",
            target_id=standing.organization.id,
            after={"format": kind},
        )
        return download(f"audit-{standing.organization.slug}", kind, selectors.COLUMNS, selectors.as_rows(rows))
