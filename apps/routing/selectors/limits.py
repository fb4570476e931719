"""The limits that hold in a project: its own, and those of the whole organization."""

from django.db.models import Q, QuerySet

from apps.routing.models import UsageLimit


def limits_at(organization_id: str, *, project_id: str) -> QuerySet[UsageLimit]:
    return UsageLimit.objects.of(organization_id).filter(Q(project_id=project_id) | Q(project=None))
