"""The page of somebody who tried too often, with the time to come back at."""

import math
import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal.ratelimit import get_cache_key, get_rates
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from brokle.web import errors

_ACCOUNT, _MFA = "allauth.account", "allauth.mfa"
_DOORS = {
    "account_login": ((_ACCOUNT, "login"), (_ACCOUNT, "login_failed")),
    "account_signup": ((_ACCOUNT, "signup"),),
    "account_reset_password": ((_ACCOUNT, "reset_password"),),
    "account_reset_password_from_key": ((_ACCOUNT, "reset_password_from_key"),),
    "account_change_password": ((_ACCOUNT, "change_password"),),
    "account_set_password": ((_ACCOUNT, "change_password"),),
    "account_email": ((_ACCOUNT, "manage_email"),),
    "account_delete": ((_ACCOUNT, "login_failed"),),
    "account_reauthenticate": ((_ACCOUNT, "reauthenticate"), (_ACCOUNT, "login_failed")),
    "mfa_reauthenticate": ((_ACCOUNT, "reauthenticate"), (_ACCOUNT, "login_failed")),
    "mfa_reauthenticate_webauthn": ((_ACCOUNT, "reauthenticate"),),
    "mfa_authenticate": ((_ACCOUNT, "login_failed"),),
    "mfa_activate_totp": ((_ACCOUNT, "login_failed"),),
    "mfa_login_webauthn": ((_MFA, "webauthn_login"),),
}
_UNKNOWN_WAIT_S = 60


def too_many_attempts(request: HttpRequest, exception: Exception | None = None, **more: Any) -> HttpResponse:
    return errors.too_many_requests(request, retry_after_s=seconds_to_wait(request))


def seconds_to_wait(request: HttpRequest) -> int:
    """Until every limit of this door has room again."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    waits = [
        wait
        for app, action in _DOORS.get(name or "", ())
        for rate in get_rates(app=app, action=action)
        for key in ([None] if rate.per != "key" else _keys(request, action))
        if (wait := _wait(request, app, action, rate, key)) > 0
    ]
    return math.ceil(max(waits, default=_UNKNOWN_WAIT_S))


def _wait(request: HttpRequest, app: str, action: str, rate: Any, key: str | None) -> float:
    if rate.per == "user" and not request.user.is_authenticated:
        return 0
    history = cache.get(get_cache_key(request, app=app, action=action, rate=rate, key=key), [])
    return history[-1] + rate.duration - time.time() if len(history) >= rate.amount else 0


def _keys(request: HttpRequest, action: str) -> list[str]:
    """Whose limit it may be: that of the address in the form, or of the person who is signing in."""
    person = request.user if request.user.is_authenticated else _half_signed_in(request)
    address = request.POST.get("email", "").strip().lower() or getattr(person, "email", "")
    if action != "login_failed":
        return [address]
    found = [get_adapter()._get_login_attempts_cache_key(request, email=address)]  # noqa: SLF001 - allauth's only way
    return [*found, f"mfa-auth-user-{person.pk}"] if person is not None else found


def _half_signed_in(request: HttpRequest) -> Any:
    stage = getattr(request, "_login_stage", None)
    return stage.login.user if stage is not None else None
