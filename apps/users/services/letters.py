"""Which of our mails stands for which of allauth's."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import get_language, gettext_noop

from brokle.web.devices import device_name
from brokle.web.mail import send_mail

AUTHENTICATOR_APP = gettext_noop("Authenticator app")
PASSKEY = gettext_noop("Passkey")
RECOVERY_CODES = gettext_noop("Recovery codes")

_ADDED = {
    "mfa/email/totp_activated": AUTHENTICATOR_APP,
    "mfa/email/webauthn_added": PASSKEY,
    "mfa/email/recovery_codes_generated": RECOVERY_CODES,
}
_REMOVED = {"mfa/email/totp_deactivated": AUTHENTICATOR_APP, "mfa/email/webauthn_removed": PASSKEY}
_PASSWORD = {
    "account/email/password_changed",
    "account/email/password_set",
    "account/email/password_reset",
}


def _url(name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda context: {"url": context[name]}


_LINKS: dict[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "account/email/email_confirmation": ("verify", _url("activate_url")),
    "account/email/email_confirmation_signup": ("verify", _url("activate_url")),
    "account/email/password_reset_key": ("reset", _url("password_reset_url")),
    "account/email/account_already_exists": ("account-exists", _url("password_reset_url")),
    "account/email/unknown_account": ("no-account", _url("signup_url")),
}


def send_letter(prefix: str, *, to: str, context: Mapping[str, Any]) -> None:
    """In the receiver's language where they are known, else in the language of the page that asked."""
    user = context.get("user")
    language = getattr(user, "language", "") or get_language() or "en"
    if prefix in _LINKS:
        template, pick = _LINKS[prefix]
        send_mail(template, to=to, language=language, context=pick(context))
        return
    facts = {
        "at": context.get("timestamp"),
        "ip": context.get("ip", ""),
        "device": device_name(str(context.get("user_agent", ""))),
    }
    if prefix in _PASSWORD:
        send_mail("password-changed", to=to, language=language, context=facts)
        return
    method = _ADDED.get(prefix) or _REMOVED.get(prefix) or getattr(context.get("provider"), "name", "")
    is_added = prefix in _ADDED or prefix == "socialaccount/email/account_connected"
    template = "method-added" if is_added else "method-removed"
    send_mail(template, to=to, language=language, context={**facts, "method": method})
