"""Support access that counts right now. Each request asks the clock; no job has to end what is over."""

from datetime import datetime

from django.db.models import QuerySet

from apps.orgs.models import SupportAccess


def running(*, now: datetime) -> QuerySet[SupportAccess]:
    """Only of people who still are operators, and in organizations that are open."""
    rows = SupportAccess.objects.across_organizations().filter(
        ended_at__isnull=True,
        expires_at__gt=now,
        user__is_active=True,
        user__is_staff=True,
        organization__suspended_at__isnull=True,
        organization__purge_at__isnull=True,
    )
    return rows.select_related("organization")


def running_of(user_id: str, *, now: datetime) -> QuerySet[SupportAccess]:
    return running(now=now).filter(user_id=user_id)


def accesses_to(organization_id: str) -> QuerySet[SupportAccess]:
    return SupportAccess.objects.of(organization_id).select_related("user")
