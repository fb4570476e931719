"""Passwords for programs: asked for anew by mail, chosen, changed."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import UserTokenForm
from allauth.account.internal.flows.password_reset import finalize_password_reset
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from apps.users.models import User
from apps.users.services.proofs import refusal
from apps.users.services.records import record
from apps.users.services.sessions import end_other_sessions
from brokle.kernel.errors import BrokleError, Invalid
from brokle.web.actor import actor_of
from brokle.web.rates import demand_rate


class ResetTokenSpent(BrokleError):
    """One answer for what was never a token, was used, or is too old."""

    code, status, title = "reset_token_spent", 410, "This link was used already or is too old; ask for another"


def ask_for_reset(request: HttpRequest, *, form: Any) -> None:
    email = str(form.data["email"])
    demand_rate("reset", actor_of(request).ip or "-", amount=20, window_s=60)
    demand_rate("reset-address", email.strip().lower(), amount=5, window_s=300)
    if not form.is_valid():
        raise refusal(form)
    form.save(request)


@transaction.atomic
def reset(request: HttpRequest, *, token: str, new_password: str) -> None:
    """As the page of the mail's link does it: every session ends, and whoever reads the mailbox has proven it."""
    uid, _, key = token.partition("-")
    found = UserTokenForm({"uidb36": uid, "key": key})
    if not found.is_valid():
        raise ResetTokenSpent
    adapter = get_adapter(request)
    try:
        adapter.clean_password(new_password, user=found.reset_user)
    except ValidationError as error:
        raise Invalid(error.messages[0], field="new_password") from None
    adapter.set_password(found.reset_user, new_password)
    finalize_password_reset(request, found.reset_user)


@transaction.atomic
def change(request: HttpRequest, *, user: User, form: Any, keep: str) -> None:
    """Every other session ends, of browsers and of programs."""
    demand_rate("password", str(user.pk), amount=5, window_s=300)
    if not form.is_valid():
        raise refusal(form)
    user.set_password(form.cleaned_data["password1"])
    user.save(update_fields=["password"])
    end_other_sessions(user_id=str(user.pk), keep=None, actor=actor_of(request), keep_api=keep)
    record("password_changed", user_id=str(user.pk), actor=actor_of(request), after={"by": "password"})
    get_adapter(request).send_notification_mail("account/email/password_changed", user)
