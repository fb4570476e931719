"""Signing a command line in through the browser: RFC 8628, ending in a personal access token."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction

from apps.orgs.models import DeviceGrant
from apps.orgs.services.tokens import IssuedToken, issue_token
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError, NotFound
from brokle.kernel.tokens import new_token, token_hash

LIFETIME: Final = timedelta(minutes=10)
INTERVAL: Final = timedelta(seconds=3)
TOKEN_LIFETIME: Final = timedelta(days=90)
# No vowels, so that no words appear; no letters that look alike.
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"


class DeviceRefusal(BrokleError):
    """`code` is RFC 8628's own word."""

    status, title = 400, "The command line is not signed in"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    device_code: str
    user_code: str
    expires_in_s: int
    interval_s: int


def ask(*, client: str, ip: str | None, clock: Clock = utc_now) -> Asked:
    device_code = new_token("bkd_")
    for _ in range(5):
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        try:
            with transaction.atomic():
                DeviceGrant.objects.create(
                    device_hash=token_hash(device_code),
                    user_code=user_code,
                    client=client,
                    ip=ip,
                    expires_at=clock() + LIFETIME,
                )
        except IntegrityError:
            continue
        return Asked(device_code, user_code, int(LIFETIME.total_seconds()), int(INTERVAL.total_seconds()))
    raise DeviceRefusal("server_error", "No free code was found; try again")


def find_waiting(user_code: str, *, clock: Clock = utc_now) -> DeviceGrant | None:
    """However people type it."""
    letters = "".join(letter for letter in user_code.upper() if letter in _LETTERS)
    code = f"{letters[:4]}-{letters[4:]}"
    return DeviceGrant.objects.filter(
        user_code=code, expires_at__gt=clock(), approved_by="", denied_at=None, taken_at=None
    ).first()


@transaction.atomic
def decide(*, grant_id: str, user_id: str, approves: bool, clock: Clock = utc_now) -> None:
    grant = DeviceGrant.objects.select_for_update().filter(id=grant_id, approved_by="", denied_at=None).first()
    if grant is None or grant.expires_at <= clock():
        raise NotFound("This code is no longer waiting; begin again on the command line")
    if approves:
        grant.approved_by = user_id
    else:
        grant.denied_at = clock()
    grant.save(update_fields=["approved_by", "denied_at"])


@transaction.atomic
def poll(*, device_code: str, actor: Actor, clock: Clock = utc_now) -> IssuedToken | DeviceRefusal:
    """The token, once; else the refusal, given back so that the time of this poll is kept."""
    grant = DeviceGrant.objects.select_for_update().filter(device_hash=token_hash(device_code)).first()
    now = clock()
    if grant is None or grant.taken_at is not None:
        return DeviceRefusal("invalid_grant", "This device code is not known, or was used")
    if grant.denied_at is not None:
        return DeviceRefusal("access_denied", "The request was denied in the browser")
    if grant.expires_at <= now:
        return DeviceRefusal("expired_token", "The code has expired; begin again")
    if not grant.approved_by:
        hurries = grant.polled_at is not None and now - grant.polled_at < INTERVAL
        grant.polled_at = now
        grant.save(update_fields=["polled_at"])
        if hurries:
            return DeviceRefusal("slow_down", f"Ask every {INTERVAL.total_seconds():.0f} seconds")
        return DeviceRefusal("authorization_pending", "Nobody has approved it yet")
    grant.taken_at = now
    grant.save(update_fields=["taken_at"])
    person = Actor("user", grant.approved_by, actor.ip, actor.user_agent, actor.request_id)
    return issue_token(user_id=grant.approved_by, name=grant.client, actor=person, expires_at=now + TOKEN_LIFETIME)


def forget_old(*, clock: Clock = utc_now) -> int:
    return DeviceGrant.objects.filter(expires_at__lt=clock() - LIFETIME).delete()[0]
