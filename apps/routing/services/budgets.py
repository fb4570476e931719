"""Who is told that a budget runs low: at half, at four fifths, and when all of it is spent."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import transaction
from redis.exceptions import RedisError

from apps.orgs import facade as orgs
from apps.routing.models import BudgetNotice, Measured, Subject, UsageLimit
from brokle.edge.budgets import CROSSED, KEY_PREFIX, counter_of, name_of_key
from brokle.engines.burn import Budget, Burn, read_burns
from brokle.engines.state import state
from brokle.ground.services import announce
from brokle.kernel.clock import utc_now

EVENT: Final = "budget.threshold"
_PERCENTS: Final = (100, 80, 50)
_MICROS: Final = 1_000_000
_EACH: Final = frozenset({Subject.KEY, Subject.USER, Subject.ROUTE, Subject.MODEL, Subject.PROVIDER})


def tell_thresholds(*, now: datetime | None = None) -> int:
    moment = now or utc_now()
    return _tell_known(moment) + _tell_crossed(moment)


def _tell_known(now: datetime) -> int:
    """Budgets with one figure are looked at."""
    limits = {limit.id: limit for limit in UsageLimit.objects.across_organizations().filter(measured=Measured.USD)}
    budgets = {
        f"{limit.id}:{whose}": Budget(f"{limit.id}:{whose}", limit.amount, limit.window, limit.created_at)
        for limit in limits.values()
        for whose in _counted_for(limit)
    }
    burns = read_burns(budgets, now=now)
    return sum(_tell(burn) for burn in burns.values() if _reached(burn))


def _tell_crossed(now: datetime) -> int:
    """Those of keys, and of each of many, are where the data plane put them when they reached a share."""
    try:
        crossed = [raw.decode() for raw in state().smembers(CROSSED)]
        told = sum(map(_tell_apart, _apart(crossed, now))) if crossed else 0
        if crossed:
            state().srem(CROSSED, *crossed)
    except RedisError:
        return 0
    return told


class Apart(NamedTuple):
    """A budget that is one of many: what is told of it beside its figures, and how far it is used up."""

    organization_id: str
    facts: dict[str, Any]
    burn: Burn


def _apart(crossed: Iterable[str], now: datetime) -> Iterator[Apart]:
    names = {counter.removeprefix(KEY_PREFIX).rpartition(":")[0] for counter in crossed}
    found = {**_budgets_of_keys(names), **_budgets_of_each(names)}
    burns = read_burns({name: budget for name, (_, _, budget) in found.items()}, now=now)
    for name, burn in burns.items():
        if _reached(burn):
            organization_id, facts, _ = found[name]
            yield Apart(organization_id, facts, burn)


Found = tuple[str, dict[str, Any], Budget]


def _budgets_of_keys(names: set[str]) -> dict[str, Found]:
    if not any(name.startswith(name_of_key("")) for name in names):
        return {}
    found = {}
    for key in orgs.list_key_budgets():
        name = name_of_key(key.key_id)
        if name in names:
            place = {"project_id": key.project_id, "environment_id": key.environment_id}
            facts = {"id": key.key_id, "name": key.name, "subject": "key", "of": key.key_id, "is_soft": False, **place}
            found[name] = key.organization_id, facts, Budget(name, key.usd_micros, key.window, key.since)
    return found


def _budgets_of_each(names: set[str]) -> dict[str, Found]:
    ids = {name.partition(":")[0] for name in names}
    limits = UsageLimit.objects.across_organizations().filter(measured=Measured.USD).in_bulk(list(ids))
    found = {}
    for name in names:
        limit_id, _, whose = name.partition(":")
        limit = limits.get(limit_id)
        if limit is not None and not list(_counted_for(limit)):
            budget = Budget(name, limit.amount, limit.window, limit.created_at)
            found[name] = limit.organization_id, _facts_of(limit, whose), budget
    return found


@transaction.atomic
def _tell_apart(one: Apart) -> bool:
    """Once for each share, as with the others; the row of a former window is written over."""
    burn, percent = one.burn, _reached(one.burn)
    span = counter_of("", burn.budget.window, burn.now)[0].removeprefix(":")
    news = {"span": span, "amount": burn.budget.amount, "percent": percent}
    rows = BudgetNotice.objects.across_organizations().select_for_update()
    notice, is_new = rows.get_or_create(
        name=burn.budget.name, defaults={**news, "organization_id": one.organization_id}
    )
    if not is_new and (notice.span, notice.amount) == (span, burn.budget.amount) and notice.percent >= percent:
        return False
    for name, value in {**news, "told_at": burn.now}.items():
        setattr(notice, name, value)
    notice.save()
    announce(organization_id=one.organization_id, event=EVENT, data={**one.facts, **_figures_of(percent, burn)})
    return True


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
    return {**_facts_of(limit, whose), **_figures_of(percent, burn)}


def _facts_of(limit: UsageLimit, whose: str) -> dict[str, Any]:
    name = f"{limit.name} · {whose}" if limit.subject in _EACH and not limit.only else limit.name
    return {"id": limit.id, "name": name, "subject": limit.subject, "of": whose, "is_soft": limit.is_soft}


def _figures_of(percent: int, burn: Burn) -> dict[str, Any]:
    return {
        "note": f"{percent} %",
        "percent": percent,
        "window": burn.budget.window,
        "spent_usd": burn.spent.micros / _MICROS,
        "budget_usd": burn.budget.amount / _MICROS,
    }
