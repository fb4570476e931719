"""Personal access tokens: made by their person, revoked at once, shown once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from apps.orgs.models import PersonalToken
from apps.orgs.services.keys import checksum, random_text
from brokle.edge.principal import digest
from brokle.ground.services import Actor, audit
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict
from brokle.kernel.extensions import BearerPerson

PREFIX: Final = "bk_pat_"
MOST: Final = 100
_SEEN_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """The only moment it is seen whole."""

    token: PersonalToken
    value: str


@transaction.atomic
def issue_token(
    *, user_id: str, name: str, actor: Actor, expires_at: datetime | None = None, is_read_only: bool = False
) -> IssuedToken:
    if PersonalToken.objects.filter(user_id=user_id, revoked_at=None).count() >= MOST:
        raise Conflict(f"You have {MOST} tokens; revoke some first")
    token, value = keep_token(user_id=user_id, name=name, expires_at=expires_at, is_read_only=is_read_only)
    _record(token, actor, "token.created")
    return IssuedToken(token, value)


def keep_token(*, user_id: str, name: str, **more: Any) -> tuple[PersonalToken, str]:
    """The row and the secret, which is seen here for the only time."""
    body = f"{PREFIX}{random_text(12)}_{random_text(40)}"
    value = f"{body}_{checksum(body)}"
    token = PersonalToken.objects.create(
        user_id=user_id,
        name=name,
        hash=digest(settings.PEPPER, value.encode()),
        prefix=value[:14],
        last_four=value[-4:],
        **more,
    )
    return token, value


@transaction.atomic
def revoke_token(*, token: PersonalToken, actor: Actor, clock: Clock = utc_now) -> None:
    if token.revoked_at is not None:
        return
    token.revoked_at = clock()
    token.save(update_fields=["revoked_at"])
    _record(token, actor, "token.revoked")


def is_token(text: str) -> bool:
    return text.startswith(PREFIX)


def find_bearer(text: str, *, clock: Clock = utc_now) -> BearerPerson | None:
    """Whose token this is; None when it is unknown, revoked, past its time, or its person may not sign in."""
    body, _, crc = text.rpartition("_")
    if not text.isascii() or checksum(body) != crc:
        return None
    now = clock()
    hashes = [digest(pepper, text.encode()) for pepper in settings.PEPPERS]
    token = PersonalToken.objects.filter(hash__in=hashes, revoked_at=None).select_related("user").first()
    if token is None or (token.expires_at is not None and token.expires_at <= now) or not token.user.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > _SEEN_EVERY:
        PersonalToken.objects.filter(id=token.id).update(last_used_at=now)
    return BearerPerson(token.user, token.id, token.is_read_only)


def _record(token: PersonalToken, actor: Actor, action: str) -> None:
    """An account's matter, so it stands in no organization's log."""
    audit(
        organization_id="",
        actor=actor,
        action=action,
        target_kind="token",
        target_id=token.id,
        after={"name": token.name, "user_id": token.user_id, "is_read_only": token.is_read_only},
    )
