"""What a person was told, and who is to be told of an event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.orgs.contracts import Standing
from apps.orgs.models import Membership, Notification, NotificationPreference
from apps.orgs.selectors.destinations import Thing, path_to
from apps.orgs.selectors.organizations import standing_of
from brokle.kernel.extensions import EventType, event_types


@dataclass(frozen=True, slots=True)
class Channels:
    in_app: bool
    email: bool

    @property
    def is_any(self) -> bool:
        return self.in_app or self.email


@dataclass(frozen=True, slots=True)
class Recipient:
    user_id: str
    email: str
    language: str
    channels: Channels
    path: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of event that may reach this person, and by which ways it does."""

    event: EventType
    channels: Channels


def notifications_of(user_id: str) -> QuerySet[Notification]:
    """Only of organizations where the person still is."""
    own = Membership.objects.across_organizations().filter(user_id=user_id).values("organization_id")
    rows = Notification.objects.across_organizations().filter(user_id=user_id, is_shown=True)
    return rows.filter(organization_id__in=own, organization__suspended_at__isnull=True).select_related("organization")


def count_unread(user_id: str) -> int:
    return notifications_of(user_id).filter(read_at__isnull=True).count()


def list_recipients(
    event: EventType, *, organization_id: str, data: Mapping[str, Any], actor_id: str
) -> list[Recipient]:
    """By what they may do there, and whom the event names; never who did it."""
    members = _members(Membership.objects.of(organization_id).filter(user__is_active=True).exclude(user_id=actor_id))
    chosen = _preferences(event.key, [member.user_id for member in members])
    project_id = str(data.get("project_id", ""))
    named = data.get(event.person, "") if event.person else ""
    found = []
    for member in members:
        standing = standing_of(member)
        default = _default(event, [standing], is_named=member.user_id == named, project_id=project_id)
        channels = _chosen(default, chosen.get(member.user_id)) if default else None
        if channels is not None and channels.is_any:
            path = path_to(event, standing, Thing.of(data))
            found.append(Recipient(member.user_id, member.user.email, member.user.language, channels, path))
    return found


def list_choices(user_id: str) -> list[Choice]:
    """What somebody with these roles can be told of, anywhere."""
    members = _members(Membership.objects.across_organizations().filter(user_id=user_id))
    standings = [standing_of(member) for member in members]
    chosen = {row.event: row for row in NotificationPreference.objects.filter(user_id=user_id)}
    found = []
    for event in event_types.collect():
        default = _default(event, standings, is_named=bool(event.person))
        if default is not None:
            found.append(Choice(event, _chosen(default, chosen.get(event.key))))
    return found


def _members(rows: QuerySet[Membership]) -> list[Membership]:
    return list(rows.select_related("organization", "user").prefetch_related("projects"))


def _default(
    event: EventType, standings: Iterable[Standing], *, is_named: bool, project_id: str = ""
) -> Channels | None:
    """None where the event does not concern this person."""

    def may(permission: str) -> bool:
        return bool(permission) and any(_may(standing, permission, project_id) for standing in standings)

    if not is_named and not may(event.audience):
        return None
    return Channels(in_app=True, email=is_named or may(event.mailed))


def _may(standing: Standing, permission: str, project_id: str) -> bool:
    if project_id:
        return standing.may(permission, project_id)
    return standing.may(permission)


def _chosen(default: Channels, row: NotificationPreference | None) -> Channels:
    if row is None:
        return default
    in_app = default.in_app if row.in_app is None else row.in_app
    return Channels(in_app, default.email if row.email is None else row.email)


def _preferences(event: str, user_ids: list[str]) -> dict[str, NotificationPreference]:
    return {row.user_id: row for row in NotificationPreference.objects.filter(event=event, user_id__in=user_ids)}
