"""The limits that hold in a project, its own and those of the whole organization, and how far budgets are used up."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from apps.routing.models import Measured, Subject, UsageLimit
from brokle.engines.burn import Budget, Burn, read_burns


def limits_at(organization_id: str, *, project_id: str) -> QuerySet[UsageLimit]:
    return UsageLimit.objects.of(organization_id).filter(Q(project_id=project_id) | Q(project=None))


def burns_of(limits: Iterable[UsageLimit], *, project_id: str, now: datetime) -> dict[str, Burn]:
    """By the id of the limit. What is counted for each of many apart has no one figure, and is not there."""
    counted = {limit.id: (limit, _counted_for(limit, project_id)) for limit in limits}
    budgets = {
        limit_id: Budget(f"{limit_id}:{whose}", limit.amount, limit.window, limit.created_at)
        for limit_id, (limit, whose) in counted.items()
        if whose and limit.measured == Measured.USD
    }
    return read_burns(budgets, now=now)


def _counted_for(limit: UsageLimit, project_id: str) -> str:
    own = {Subject.PROJECT.value: project_id, Subject.ORGANIZATION.value: limit.organization_id}
    return limit.only or own.get(limit.subject, "")
