"""What an operator does with somebody's account: lock it, let somebody who lost their way in again, make operators."""

from typing import Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.users.models import User
from apps.users.selectors import is_address_verified, list_factor_kinds
from apps.users.services.records import record
from apps.users.services.sessions import end_other_sessions
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, Invalid, NotFound
from brokle.web.formatting import sentence
from brokle.web.live.publish import recheck_sockets
from brokle.web.mail import send_mail

REASON_LONGEST: Final = 300
_OPERATORS_LOCK: Final = 0x4F504552


@transaction.atomic
def lock_person(*, user_id: str, reason: str, actor: Actor, clock: Clock = utc_now) -> None:
    """Every session ends; tokens are refused until the account is unlocked."""
    _one_at_a_time()
    user = _held(user_id)
    _demand_somebody_else(user, actor)
    if not user.is_active:
        raise Conflict(_("This account is locked already."))
    if not reason.strip():
        raise Invalid(_("Say why; the reason stays in the log."), field="reason")
    if user.is_staff:
        _demand_another_operator(user)
    user.is_active, user.locked_at, user.lock_reason = False, clock(), reason.strip()[:REASON_LONGEST]
    user.save(update_fields=["is_active", "locked_at", "lock_reason"])
    end_other_sessions(user_id=user_id, keep=None, actor=actor)
    recheck_sockets(user_id=user_id)
    record("locked", user_id=user_id, actor=actor, after={"reason": user.lock_reason})


@transaction.atomic
def unlock_person(*, user_id: str, actor: Actor) -> None:
    user = _held(user_id)
    if user.is_active:
        raise Conflict(_("This account is not locked."))
    before = {"reason": user.lock_reason}
    user.is_active, user.locked_at, user.lock_reason = True, None, ""
    user.save(update_fields=["is_active", "locked_at", "lock_reason"])
    record("unlocked", user_id=user_id, actor=actor, before=before)


@transaction.atomic
def end_sessions(*, user_id: str, actor: Actor) -> None:
    """Of browsers and programs; personal tokens are no sessions and stay."""
    _held(user_id)
    ended = end_other_sessions(user_id=user_id, keep=None, actor=actor)
    record("sessions_ended", user_id=user_id, actor=actor, after={"browsers": ended})


@transaction.atomic
def remove_second_factors(*, user_id: str, actor: Actor) -> None:
    """For somebody who lost their phone: the password alone lets them in, and a mail tells them of it."""
    user = _held(user_id)
    kinds = list_factor_kinds(user=user)
    if not kinds:
        raise Conflict(_("This account has no second factor."))
    Authenticator.objects.filter(user=user).delete()
    record("second_factors_removed", user_id=user_id, actor=actor, before={"types": kinds})
    send_mail("factors-removed", to=user.email, language=user.language, context={})


@transaction.atomic
def send_password_reset(request: HttpRequest, *, user_id: str, actor: Actor) -> None:
    """The mail that the person could ask for themselves."""
    user = _held(user_id)
    if not user.is_active:
        raise Conflict(_("This account is locked; unlock it first."))
    # allauth's forms read ours, which stand above the services.
    from allauth.account.forms import ResetPasswordForm

    form = ResetPasswordForm({"email": user.email})
    if not form.is_valid():
        raise Invalid(_("No mail can be sent to this address."))
    form.save(request)
    record("password_reset_sent", user_id=user_id, actor=actor)


@transaction.atomic
def verify_address(*, user_id: str, actor: Actor) -> None:
    """The operator knows that the mailbox is theirs."""
    user = _held(user_id)
    if is_address_verified(user=user):
        raise Conflict(_("This address is verified already."))
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    record("address_verified", user_id=user_id, actor=actor)


@transaction.atomic
def make_operator(*, user_id: str, actor: Actor) -> None:
    """Twice is as good as once."""
    user = _held(user_id)
    if not user.is_active:
        raise Conflict(_("This account is locked; unlock it first."))
    if user.is_staff:
        return
    _mark(user, is_operator=True)
    record("operator_made", user_id=user_id, actor=actor)


@transaction.atomic
def unmake_operator(*, user_id: str, actor: Actor) -> None:
    _one_at_a_time()
    user = _held(user_id)
    if not user.is_staff:
        raise Conflict(_("This person is no operator."))
    _demand_somebody_else(user, actor)
    _demand_another_operator(user)
    _mark(user, is_operator=False)
    recheck_sockets(user_id=user_id)
    record("operator_unmade", user_id=user_id, actor=actor)


def hold_operators(user_id: str) -> None:
    """For `account_deletion_checks`: while an operator goes, no other one is taken away."""
    if User.objects.filter(pk=user_id, is_staff=True).exists():
        _one_at_a_time()


def find_obstacle_to_going(user_id: str) -> str | None:
    """For `account_deletion_checks`: somebody has to be left who runs the installation."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or not user.is_staff or _has_another_operator(user):
        return None
    text = _(
        "You are the last operator of this installation. Make somebody else one first: on their page under "
        "Installation, or with %(command)s on the machine."
    )
    return sentence(text, command="brokle operator add")


def _one_at_a_time() -> None:
    """Of two operators who unmake each other, one waits and then sees that nobody else is left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_OPERATORS_LOCK])


def _held(user_id: str) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    return user


def _mark(user: User, *, is_operator: bool) -> None:
    user.is_staff = user.is_superuser = is_operator
    user.save(update_fields=["is_staff", "is_superuser"])


def _demand_somebody_else(user: User, actor: Actor) -> None:
    if actor.id == str(user.pk):
        raise Conflict(_("You cannot do this to yourself; another operator can."))


def _has_another_operator(user: User) -> bool:
    return User.objects.filter(is_staff=True, is_active=True).exclude(pk=user.pk).exists()


def _demand_another_operator(user: User) -> None:
    if not _has_another_operator(user):
        raise Conflict(_("This is the last operator; make somebody else one first."))
