"""The doors of accounts for programs, over the same engine, limits and records as the pages."""

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.users.models import User
from apps.users.selectors import is_address_verified, passkeys_of
from apps.users.services import api_sessions, ceremonies
from apps.users.services.proofs import WrongCode, WrongCredentials, matching_factor, refusal
from apps.users.services.records import person, record, record_failed_sign_in
from apps.users.services.sessions import end_other_sessions
from brokle.kernel.errors import Conflict, Forbidden, RateLimited
from brokle.web.actor import actor_of
from brokle.web.rates import demand_rate


class SecondFactorNeeded(Exception):
    """Carries the challenge that a code or a passkey answers."""

    def __init__(self, challenge: str, methods: list[str]) -> None:
        super().__init__()
        self.challenge, self.methods = challenge, methods


class SignUpClosed(Forbidden):
    code, title = "signup_closed", "New accounts are not open here"


def sign_up(request: HttpRequest, *, form: Any) -> None:
    """The same answer whether the address is free or not; only its mailbox learns more."""
    if not get_adapter(request).is_open_for_signup(request):
        raise SignUpClosed
    if not form.is_valid():
        if [error.code for error in form.errors.as_data().get("email", [])] != ["email_taken"]:
            raise refusal(form)
        make_password(form.data["password1"])  # as long as for an address that is free
        get_adapter(request).send_account_already_exists_mail(form.data["email"])
        return
    user, _response = form.try_save(request)
    if user is not None:
        from allauth.account.internal.flows.email_verification import send_verification_email_to_address
        from allauth.account.models import EmailAddress

        address = EmailAddress.objects.get(user=user, primary=True)
        send_verification_email_to_address(request, address, signup=True)
        record("signed_up", user_id=str(user.pk), actor=person(request, str(user.pk)))


def sign_in(request: HttpRequest, *, email: str, password: str) -> api_sessions.Pair:
    try:
        user = get_adapter(request).authenticate(request, email=email.strip().lower(), password=password)
    except ValidationError as error:
        raise RateLimited(error.messages[0], retry_after_s=60) from None
    if user is None or not user.is_active:
        raise WrongCredentials
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory" and not is_address_verified(user=user):
        raise Forbidden("Confirm your e-mail address first; the link is in your mailbox")
    if is_mfa_enabled(user):
        raise SecondFactorNeeded(api_sessions.challenge(user_id=str(user.pk)), _methods(user))
    return _begin(request, user, ["password"])


def begin_passkey_answer(request: HttpRequest, *, challenge: str) -> dict[str, Any]:
    """What a passkey is asked as second factor."""
    user_id, jti = api_sessions.read_challenge(challenge)
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or not passkeys_of(user=user).exists():
        raise Conflict("This account has no passkey; send a code")
    options = auth.begin_authentication(user)
    ceremonies.keep(request, place=jti)
    return ceremonies.as_json(options)


def answer_challenge(
    request: HttpRequest, *, challenge: str, code: str = "", passkey: Callable[[User], Any] | None = None
) -> api_sessions.Pair:
    """By a code, or by `passkey`: makes the form that judges what the passkey said."""
    user_id, jti = api_sessions.read_challenge(challenge)
    demand_rate("second-factor", user_id, amount=5, window_s=300)
    user = User.objects.filter(pk=user_id, is_active=True).first()
    method = _method_of(request, user, jti, code, passkey) if user else ""
    if user is None or not method:
        means = "code" if passkey is None else str(Authenticator.Type.WEBAUTHN)
        record_failed_sign_in(address=user.email if user else "", actor=actor_of(request), method=means)
        raise WrongCode
    api_sessions.use_challenge(jti)
    return _begin(request, user, ["password", method])


def _method_of(request: HttpRequest, user: User, jti: str, code: str, passkey: Callable[[User], Any] | None) -> str:
    """By which factor the answer is right, if any."""
    if passkey is None:
        return matching_factor(user, code)
    form = passkey(user)
    with ceremonies.resumed(request, place=jti):
        if not form.is_valid():
            return ""
    form.cleaned_data["credential"].record_usage()
    return str(Authenticator.Type.WEBAUTHN)


def _begin(request: HttpRequest, user: User, methods: list[str]) -> api_sessions.Pair:
    pair = api_sessions.begin(user_id=str(user.pk))
    after = {"methods": methods, "session": pair.session_id}
    record("signed_in", user_id=str(user.pk), actor=person(request, str(user.pk)), after=after)
    return pair


def sign_out(*, user: User, session_id: str, everywhere: bool, actor: Any) -> None:
    if everywhere:
        end_other_sessions(user_id=str(user.pk), keep=None, actor=actor)
    elif session_id:
        api_sessions.end(session_id=session_id, user_id=str(user.pk))
    after = {"everywhere": everywhere}
    record("signed_out", user_id=str(user.pk), actor=actor, after=after)


def _methods(user: User) -> list[str]:
    return sorted({str(one.type) for one in Authenticator.objects.filter(user=user)})
