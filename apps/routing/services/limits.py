"""How much may be used: set, changed and taken away by people, or by the configuration file."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from django.db import transaction

from apps.orgs import facade as orgs
from apps.routing.models import Measured, Owner, UsageLimit, Window
from apps.routing.services.providers import refuse_file_owned
from apps.routing.services.records import record, touch_books
from brokle.ground.configuration import at_entry
from brokle.ground.services import SYSTEM, Actor
from brokle.kernel.errors import Conflict, Invalid

_MICROS: Final = 1_000_000
_DEAREST: Final = Decimal(1_000_000_000)
_MOST: Final = 10**12
_OF_RATES: Final = frozenset({Window.MINUTE, Window.HOUR, Window.DAY})
_OF_MONEY: Final = frozenset({Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL})
_FACTS: Final = ("name", "subject", "only", "measured", "amount", "window", "is_soft")

LimitName = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Amount = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]


class LimitEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A limit in the configuration file: exactly one of `requests`, `tokens`, `parallel` and `usd`.

    `soft` makes of a budget one that warns and refuses nobody.
    """

    name: LimitName
    per: Literal["key", "user", "route", "model", "provider", "project", "organization"]
    only: Annotated[str, msgspec.Meta(max_length=200)] = ""
    requests: Amount | None = None
    tokens: Amount | None = None
    parallel: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    usd: Decimal | None = None
    window: Literal["minute", "hour", "day", "week", "month", "total", ""] = ""
    soft: bool = False

    def facts(self) -> dict[str, Any]:
        said = [name for name in Measured.values if getattr(self, name) is not None]
        if len(said) != 1:
            raise Invalid(f"limit `{self.name}` says one of {', '.join(Measured.values)}")
        measured = said[0]
        amount = getattr(self, measured)
        usual = {"usd": "month", "parallel": ""}.get(measured, "minute")
        return {
            "name": self.name,
            "subject": self.per,
            "only": self.only,
            "measured": measured,
            "amount": micros_of(amount) if measured == Measured.USD else amount,
            "window": self.window or usual,
            "is_soft": self.soft,
        }


def micros_of(usd: Decimal) -> int:
    if not 0 < usd <= _DEAREST:
        raise Invalid(f"`usd` lies between 0 and {_DEAREST}", field="usd")
    return int(usd * _MICROS)


def check_limit(facts: dict[str, Any]) -> None:
    """A rate slides, money is counted by the calendar, slots have no window."""
    measured, window = facts["measured"], facts["window"]
    if facts.get("is_soft") and measured != Measured.USD:
        raise Invalid(f"limit `{facts['name']}`: only a budget of `usd` can be soft", field="is_soft")
    allowed = {Measured.PARALLEL: {""}, Measured.USD: _OF_MONEY}.get(measured, _OF_RATES)
    if window not in allowed:
        named = ", ".join(sorted(allowed)) or "none"
        raise Invalid(f"limit `{facts['name']}`: the window of `{measured}` is one of: {named}", field="window")


@transaction.atomic
def create_limit(
    *, organization_id: str, project_id: str | None, actor: Actor, owner: str = Owner.PEOPLE, **facts: Any
) -> UsageLimit:
    check_limit(facts)
    rows = UsageLimit.objects.of(organization_id)
    if rows.filter(project_id=project_id, name=facts["name"]).exists():
        raise Conflict(f"There is a limit `{facts['name']}` already", field="name")
    limit = rows.create(organization_id=organization_id, project_id=project_id, owner=owner, **facts)
    record(organization_id, actor, "limit.created", limit.id, after=_told(limit))
    touch_books(organization_id, project_id)
    return limit


@transaction.atomic
def update_limit(*, limit: UsageLimit, actor: Actor, owner: str = Owner.PEOPLE, **changes: Any) -> UsageLimit:
    """What was counted stays counted; only how much is allowed, and of whom, changes."""
    if owner == Owner.PEOPLE:
        refuse_file_owned(limit)
    before = _told(limit)
    for name, value in {**changes, "owner": owner}.items():
        setattr(limit, name, value)
    check_limit(_told(limit))
    if _told(limit) == before:
        return limit
    if limit.amount != before["amount"]:
        limit.told = {}
    limit.save()
    record(limit.organization_id, actor, "limit.changed", limit.id, before=before, after=_told(limit))
    touch_books(limit.organization_id, limit.project_id)
    return limit


@transaction.atomic
def remove_limit(*, limit: UsageLimit, actor: Actor, owner: str = Owner.PEOPLE) -> None:
    if owner == Owner.PEOPLE:
        refuse_file_owned(limit)
    record(limit.organization_id, actor, "limit.removed", limit.id, before=_told(limit))
    touch_books(limit.organization_id, limit.project_id)
    limit.delete()


def apply_limits(entries: list[LimitEntry]) -> None:
    """Into the default project; those per organization into all of its projects."""
    names = [entry.name for entry in entries]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise Invalid(f"`{doubled}` is named twice")
    if not entries and not UsageLimit.objects.across_organizations().filter(owner=Owner.FILE).exists():
        return
    place = orgs.ensure_default_project()
    held = {limit.name: limit for limit in UsageLimit.objects.of(place.organization_id).filter(owner=Owner.FILE)}
    for number, entry in enumerate(entries):
        with at_entry(number):
            facts = entry.facts()
            project_id = None if entry.per == "organization" else place.project_id
            known = held.get(entry.name)
            if known is not None and known.project_id == project_id:
                update_limit(limit=known, actor=SYSTEM, owner=Owner.FILE, **facts)
                continue
            if known is not None:
                remove_limit(limit=known, actor=SYSTEM, owner=Owner.FILE)
            create_limit(
                organization_id=place.organization_id, project_id=project_id, actor=SYSTEM, owner=Owner.FILE, **facts
            )
    for name, limit in held.items():
        if name not in names:
            remove_limit(limit=limit, actor=SYSTEM, owner=Owner.FILE)


def _told(limit: UsageLimit) -> dict[str, Any]:
    return {name: getattr(limit, name) for name in _FACTS}
