"""Tells people what happened: in the console, live, and by e-mail, as each of them chose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import Notification, NotificationPreference, Organization
from apps.orgs.selectors.destinations import Thing
from apps.orgs.selectors.notifications import Recipient, count_unread, list_recipients, notifications_of
from apps.users import facade as users
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Invalid
from brokle.kernel.extensions import EventType, find_event_type
from brokle.web.live.publish import publish_live
from brokle.web.mail import send_mail

CREATED, READ = "notification.created", "notification.read"
_KEPT_FOR = timedelta(days=90)
_ABOUT_LONGEST = 254


@dataclass(frozen=True, slots=True)
class News:
    """One event, on its way to everybody whom it concerns."""

    organization: Organization
    event: EventType
    event_id: str
    data: Mapping[str, Any]
    base_url: str


@transaction.atomic
def notify_event(payload: dict[str, Any]) -> None:
    """The outbox handler. Called twice it tells nobody twice."""
    organization_id = payload.get("organization_id", "")
    event = find_event_type(payload["event"])
    if event is None or not event.is_notified or not organization_id:
        return
    organization = Organization.objects.filter(id=organization_id).first()
    if organization is None:
        return
    event_id, data = payload["event_id"], payload["data"]
    people = list_recipients(event, organization_id=organization_id, data=data, actor_id=payload["actor_id"])
    known = Notification.objects.of(organization_id).filter(event_id=event_id).values_list("user_id", flat=True)
    told = set(known)
    news = News(organization, event, event_id, data, settings.BASE_URL or payload.get("base_url", ""))
    for person in people:
        if person.user_id not in told:
            _tell(person, news)


def _tell(person: Recipient, news: News) -> None:
    organization, event = news.organization, news.event
    notification = Notification.objects.create(
        organization=organization,
        user_id=person.user_id,
        event_id=news.event_id,
        event=event.key,
        is_shown=person.channels.in_app,
        **facts_of(news.data),
    )
    if person.channels.in_app:
        _publish(person.user_id, CREATED, {"id": notification.id, "event": event.key})
    if person.channels.email:
        context = {
            "title": event.title,
            "about": notification.about,
            "organization": organization.name,
            "url": f"{news.base_url}{person.path}" if news.base_url else "",
            "preferences_url": f"{news.base_url}/settings/notifications" if news.base_url else "",
        }
        send_mail("notification", to=person.email, language=person.language, context=context)


@transaction.atomic
def mark_read(*, notification: Notification, clock: Clock = utc_now) -> Notification:
    if notification.read_at is None:
        notification.read_at = clock()
        notification.save(update_fields=["read_at"])
        _publish(notification.user_id, READ, {"id": notification.id})
    return notification


@transaction.atomic
def mark_all_read(*, user_id: str, clock: Clock = utc_now) -> int:
    unread = list(notifications_of(user_id).filter(read_at__isnull=True).values_list("id", flat=True))
    rows = Notification.objects.across_organizations().filter(id__in=unread, user_id=user_id)
    count = rows.update(read_at=clock())
    if count:
        _publish(user_id, READ, {})
    return count


@transaction.atomic
def choose(*, user_id: str, event: str, in_app: bool | None = None, email: bool | None = None) -> None:
    """What is None stays as it is."""
    known = find_event_type(event)
    if known is None or not known.is_notified:
        raise Invalid(_("Nobody is notified of %(name)s.") % {"name": event[:80]}, field="event")
    asked = {name: value for name, value in (("in_app", in_app), ("email", email)) if value is not None}
    NotificationPreference.objects.update_or_create(user_id=user_id, event=event, defaults=asked)


def forget_old_notifications(*, clock: Clock = utc_now) -> int:
    old = Notification.objects.across_organizations().filter(created_at__lt=clock() - _KEPT_FOR)
    return old.delete()[0]


def facts_of(data: Mapping[str, Any]) -> dict[str, str]:
    """What a notification keeps of an event: enough to name the thing and to find it."""
    thing = Thing.of(data)
    places = {"project_id": thing.project_id, "environment_id": thing.environment_id}
    return {"about": about_of(data), "subject_id": thing.id, **places}


def about_of(data: Mapping[str, Any]) -> str:
    """What or whom it is about, by name, and somebody's own words on it."""
    named = data.get("name") or data.get("email") or ""
    if not named and data.get("user_id"):
        named = users.list_names(user_ids=[str(data["user_id"])]).get(str(data["user_id"]), "")
    return " · ".join(filter(None, (str(named), str(data.get("note", "")))))[:_ABOUT_LONGEST]


def _publish(user_id: str, kind: str, data: dict[str, Any]) -> None:
    publish_live(room=f"notifications:{user_id}", kind=kind, data={**data, "unread": count_unread(user_id)})
