"""Who is told that a budget runs low: at half, at four fifths, and when all of it is spent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from apps.orgs import facade as orgs
from apps.routing.models import Measured, Subject, UsageLimit
from brokle.edge.budgets import counter_of
from brokle.engines.burn import Budget, Burn, read_burns
from brokle.ground.services import announce
from brokle.kernel.clock import utc_now

EVENT: Final = "budget.threshold"
_PERCENTS: Final = (100, 80, 50)
_MICROS: Final = 1_000_000


def tell_thresholds(*, now: datetime | None = None) -> int:
    """What is counted for each of many keys or users apart has no counter that is known here, and is not looked at."""
    moment = now or utc_now()
    limits = {limit.id: limit for limit in UsageLimit.objects.across_organizations().filter(measured=Measured.USD)}
    budgets = {
        f"{limit.id}:{whose}": Budget(f"{limit.id}:{whose}", limit.amount, limit.window, limit.created_at)
        for limit in limits.values()
        for whose in _counted_for(limit)
    }
    burns = read_burns(budgets, now=moment)
    return sum(_tell(burn) for burn in burns.values() if _reached(burn))


def _counted_for(limit: UsageLimit) -> Iterator[str]:
    if limit.only:
        yield limit.only
    elif limit.subject == Subject.ORGANIZATION:
        yield limit.organization_id
    elif limit.subject == Subject.PROJECT and limit.project_id:
        yield limit.project_id
    elif limit.subject == Subject.PROJECT:
        yield from orgs.list_project_ids(organization_id=limit.organization_id)


def _reached(burn: Burn) -> int:
    return next((percent for percent in _PERCENTS if burn.share * 100 >= percent), 0)


@transaction.atomic
def _tell(burn: Burn) -> bool:
    """Once for each share of each counter, however often this runs; what was told of former windows is forgotten."""
    limit_id, _, whose = burn.budget.name.partition(":")
    limit = UsageLimit.objects.across_organizations().select_for_update().filter(id=limit_id).first()
    percent = _reached(burn)
    if limit is None:
        return False
    counter, _ = counter_of(whose, burn.budget.window, burn.now)
    if limit.told.get(counter, 0) >= percent:
        return False
    _, _, span = counter.rpartition(":")
    limit.told = {name: told for name, told in limit.told.items() if name.endswith(f":{span}")} | {counter: percent}
    limit.save(update_fields=["told"])
    announce(organization_id=limit.organization_id, event=EVENT, data=_told_of(limit, whose, percent, burn))
    return True


def _told_of(limit: UsageLimit, whose: str, percent: int, burn: Burn) -> dict[str, Any]:
    return {
        "id": limit.id,
        "name": limit.name,
        "note": f"{percent} %",
        "percent": percent,
        "subject": limit.subject,
        "of": whose,
        "window": limit.window,
        "spent_usd": burn.spent.micros / _MICROS,
        "budget_usd": limit.amount / _MICROS,
        "is_soft": limit.is_soft,
    }
