"""Reads of people and of their ways to sign in. They belong to no organization."""

import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import Q, QuerySet

from apps.users.contracts import PersonFacts
from apps.users.models import User
from brokle.web.addresses import normal_address
from brokle.web.devices import device_name, is_handheld


def any_user_exists() -> bool:
    return User.objects.exists()


def find_user_id(*, email: str) -> str | None:
    return User.objects.filter(email=normal_address(email)).values_list("id", flat=True).first()


def is_address_verified(*, user: User) -> bool:
    return EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()


@dataclass(frozen=True, slots=True)
class SessionLine:
    id: int
    device: str
    is_handheld: bool
    ip: str
    started_at: datetime
    seen_at: datetime
    is_this: bool


def list_sessions(*, user: User, session_key: str | None) -> list[SessionLine]:
    """The current one first, then by last use; what has ended meanwhile is left out and forgotten."""
    lines = [
        SessionLine(
            id=session.pk,
            device=device_name(session.user_agent),
            is_handheld=is_handheld(session.user_agent),
            ip=session.ip,
            started_at=session.created_at,
            seen_at=session.last_seen_at,
            is_this=session.session_key == session_key,
        )
        for session in UserSession.objects.purge_and_list(user)
    ]
    return sorted(lines, key=lambda line: (not line.is_this, -line.seen_at.timestamp()))


def get_session(*, user: User, session_id: int) -> UserSession:
    """Another person's session raises like one that does not exist."""
    return UserSession.objects.get(user=user, pk=session_id)


@dataclass(frozen=True, slots=True)
class SecondFactors:
    totp: Any | None
    passkeys: list[Any]
    recovery_codes_left: int | None

    @property
    def any(self) -> bool:
        return self.totp is not None or bool(self.passkeys)


def second_factors(*, user: User) -> SecondFactors:
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((one for one in found if one.type == Authenticator.Type.RECOVERY_CODES), None)
    return SecondFactors(
        totp=next((one for one in found if one.type == Authenticator.Type.TOTP), None),
        passkeys=[one for one in found if one.type == Authenticator.Type.WEBAUTHN],
        recovery_codes_left=len(codes.wrap().get_unused_codes()) if codes else None,
    )


def passkeys_of(*, user: User) -> QuerySet[Authenticator]:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)


def list_factor_kinds(*, user: User) -> list[str]:
    return sorted(set(Authenticator.objects.filter(user=user).values_list("type", flat=True)))


def list_linked_accounts(*, user: User) -> list[SocialAccount]:
    return list(SocialAccount.objects.filter(user=user).order_by("provider"))


def people_matching(rows: QuerySet[User], text: str) -> QuerySet[User]:
    """By address, name or id; everybody where nothing is asked."""
    found = text.strip()
    if not found:
        return rows
    return rows.filter(Q(email__icontains=found) | Q(name__icontains=found) | Q(id=found))


def list_operators() -> list[User]:
    return list(User.objects.filter(is_staff=True).order_by("email"))


def describe_person(user: User) -> PersonFacts:
    sessions = UserSession.objects.purge_and_list(user)
    return PersonFacts(
        id=user.id,
        email=user.email,
        name=user.name,
        language=user.language,
        is_verified=is_address_verified(user=user),
        is_operator=user.is_staff,
        is_locked=not user.is_active,
        locked_at=user.locked_at,
        lock_reason=user.lock_reason,
        second_factors=list_factor_kinds(user=user),
        sessions=len(sessions),
        last_seen_at=max((session.last_seen_at for session in sessions), default=None),
        created_at=user.created_at,
    )


@lru_cache(maxsize=1)
def time_zones() -> list[str]:
    """As people know them: continent and city, and UTC."""
    skipped = ("Etc/", "SystemV/", "US/", "posix/", "right/", "Brazil/", "Canada/", "Chile/", "Mexico/")
    named = [name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(skipped)]
    return ["UTC", *sorted(named)]
