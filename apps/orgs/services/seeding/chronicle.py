"""What happened when: the audit log, and what webhooks and people were told of it, all in the order of time."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from apps.orgs.models import Notification, Organization, Webhook
from apps.orgs.selectors.notifications import list_recipients
from apps.orgs.services.notifications import facts_of
from apps.orgs.services.records import Subject, note, told_of
from apps.orgs.services.seeding.people import Person
from apps.orgs.services.webhooks import host_of
from brokle.ground.services import SYSTEM
from brokle.kernel.extensions import find_event_type
from brokle.kernel.ids import id_of

_TOLD_FOR: Final = timedelta(days=21)
_READ_UNTIL: Final = timedelta(hours=30)


@dataclass(frozen=True, slots=True)
class Happening:
    """Facts as they were at its time: rows change later."""

    at: datetime
    subject: Subject | Webhook
    by: Person | None
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    told: Mapping[str, Any]
    event_id: str

    @property
    def is_event(self) -> bool:
        return find_event_type(self.action) is not None


@dataclass(slots=True)
class Chronicle:
    """`name` is the seed of all chance in it."""

    name: str
    now: datetime
    happenings: list[Happening] = field(default_factory=list)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.name)  # noqa: S311 - so that it comes out the same each time

    def on(self, days_ago: int, clock_time: str) -> datetime:
        """`on(3, "09:40")`, give or take a minute."""
        hours, minutes = map(int, clock_time.split(":"))
        day = (self.now - timedelta(days=days_ago)).replace(hour=hours, minute=minutes, second=0, microsecond=0)
        return day + timedelta(milliseconds=self.chance.randrange(60_000))

    def ago(self, **span: float) -> datetime:
        return self.now - timedelta(**span) - timedelta(milliseconds=self.chance.randrange(30_000))

    def new_id(self, prefix: str, at: datetime) -> str:
        """As if it had been made at that time: lists are sorted by it."""
        return id_of(prefix, int(at.timestamp() * 1000), self.chance.getrandbits(80))

    def tell(
        self,
        at: datetime,
        action: str,
        subject: Subject | Webhook,
        *,
        by: Person | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        told = told_of(subject) if not isinstance(subject, Webhook) else _told_of_webhook(subject)
        event_id = self.new_id("evt", at)
        self.happenings.append(Happening(at, subject, by, action, before, after, told, event_id))

    def events(self, *, since: datetime) -> list[Happening]:
        return sorted((one for one in self.happenings if one.is_event and one.at >= since), key=lambda one: one.at)

    def write(self) -> None:
        for one in sorted(self.happenings, key=lambda one: one.at):
            actor = one.by.acting(self.new_id("req", one.at)) if one.by else SYSTEM
            note(one.subject, actor, one.action, before=one.before, after=one.after, at=one.at)
        for one in self.events(since=self.now - _TOLD_FOR):
            self._notify(one)

    def _notify(self, one: Happening) -> None:
        """Whom the event concerns by today's rules; what is older than a day was read."""
        event = find_event_type(one.action)
        if event is None or not event.is_notified:
            return
        organization_id = one.subject.id if isinstance(one.subject, Organization) else one.subject.organization_id
        actor_id = one.by.user_id if one.by else ""
        is_read = one.at < self.now - _READ_UNTIL
        for person in list_recipients(event, organization_id=organization_id, data=one.told, actor_id=actor_id):
            Notification.objects.create(
                id=self.new_id("ntf", one.at),
                organization_id=organization_id,
                user_id=person.user_id,
                event_id=one.event_id,
                event=one.action,
                **facts_of(one.told),
                created_at=one.at,
                read_at=one.at + timedelta(hours=2) if is_read else None,
            )


def _told_of_webhook(webhook: Webhook) -> dict[str, Any]:
    return {"id": webhook.id, "name": host_of(webhook.url), "reason": webhook.disabled_reason}
