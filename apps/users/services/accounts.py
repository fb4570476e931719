"""Accounts: the first owner, profile, address, deletion."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import signing
from django.db import IntegrityError, transaction

from apps.users.models import User
from apps.users.services.records import record
from apps.users.services.sessions import end_other_sessions
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict
from brokle.kernel.extensions import account_deletion_checks
from brokle.web.live.publish import recheck_sockets
from brokle.web.mail import send_mail

_CHANGE_SALT = "account.change-address"
_CHANGE_LASTS_S = 24 * 60 * 60


@transaction.atomic
def create_verified_user(
    *,
    email: str,
    password: str,
    name: str = "",
    language: str = "en",
    is_operator: bool = False,
    created_at: datetime | None = None,
) -> User:
    """For the first owner: whoever runs the installation needs no proof of e-mail."""
    facts: dict[str, Any] = {"name": name, "language": language, "created_at": created_at}
    kept = {field: value for field, value in facts.items() if value is not None}
    user = User.objects.create_user(email, password, is_staff=is_operator, is_superuser=is_operator, **kept)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


@transaction.atomic
def change_profile(*, user: User, name: str, language: str, time_zone: str, theme: str, actor: Actor) -> None:
    fields = {"name": name, "language": language, "time_zone": time_zone, "theme": theme}
    before = {field: getattr(user, field) for field in fields}
    for field, value in fields.items():
        setattr(user, field, value)
    user.save(update_fields=list(fields))
    record("profile_changed", user_id=str(user.pk), actor=actor, before=before, after=fields)


@dataclass(frozen=True, slots=True)
class AddressChange:
    """What a link in the mail to the new address says."""

    user_id: str
    old: str
    new: str

    @property
    def token(self) -> str:
        return signing.dumps([self.user_id, self.old, self.new], salt=_CHANGE_SALT)

    @classmethod
    def find(cls, token: str) -> "AddressChange | None":
        try:
            user_id, old, new = signing.loads(token, salt=_CHANGE_SALT, max_age=_CHANGE_LASTS_S)
        except (signing.BadSignature, ValueError):
            return None
        return cls(user_id, old, new)


@transaction.atomic
def ask_to_change_address(*, user: User, new: str, confirm_url: Callable[[str], str], reset_url: str) -> None:
    """Nothing changes before the new mailbox answers; whether the address is taken is told to that mailbox alone."""
    change = AddressChange(str(user.pk), user.email, new)
    if is_taken(new):
        send_mail("address-taken", to=new, language=user.language, context={"url": reset_url})
        return
    send_mail("confirm-address", to=new, language=user.language, context={"url": confirm_url(change.token)})


@transaction.atomic
def change_address(*, change: AddressChange, actor: Actor) -> User:
    """The link was followed: both mailboxes are told apart, the old one is told of it."""
    user = User.objects.select_for_update().filter(pk=change.user_id, is_active=True).first()
    if user is None or user.email != change.old:
        raise Conflict("This link was used already, or the address has been changed since")
    if is_taken(change.new):
        raise Conflict("This address belongs to another account by now")
    user.email = change.new
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
            EmailAddress.objects.filter(user=user).delete()
            EmailAddress.objects.create(user=user, email=change.new, primary=True, verified=True)
    except IntegrityError:
        raise Conflict("This address belongs to another account by now") from None
    record("email_changed", user_id=str(user.pk), actor=actor)
    send_mail("address-changed", to=change.old, language=user.language, context={"new": change.new})
    return user


def is_taken(address: str) -> bool:
    return User.objects.filter(email=address).exists() or EmailAddress.objects.filter(email=address).exists()


@transaction.atomic
def take_by_mailbox(*, user: User) -> None:
    """Whoever reset the password reads the mailbox.

    If nobody had proven that before, somebody else may have prepared the account: an address that was never verified
    takes with it every passkey, code and linked account made until then.
    """
    address, _ = EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"primary": True})
    if address.verified:
        return
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    address.verified = address.primary = True
    address.save(update_fields=["verified", "primary"])


def find_obstacle_to_deletion(*, user_id: str) -> str | None:
    for check in account_deletion_checks.collect():
        obstacle = check.find_obstacle(user_id)
        if obstacle:
            return obstacle
    return None


@transaction.atomic
def delete_account(*, user: User, actor: Actor) -> None:
    """The person, every session and every way to sign in; what they did stays in the audit log under their id."""
    user_id = str(user.pk)
    for check in account_deletion_checks.collect():
        if check.hold is not None:
            check.hold(user_id)
    User.objects.select_for_update().get(pk=user_id)
    obstacle = find_obstacle_to_deletion(user_id=user_id)
    if obstacle:
        raise Conflict(obstacle)
    end_other_sessions(user_id=user_id, keep=None, actor=actor)
    record("account_deleted", user_id=user_id, actor=actor)
    User.objects.get(pk=user_id).delete()
    recheck_sockets(user_id=user_id)
