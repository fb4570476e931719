"""Second factors for programs, over the same engine, proofs and mails as the pages."""

from dataclasses import dataclass
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.internal.flows import delete_and_cleanup
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from allauth.mfa.webauthn.internal import auth
from django.db import transaction
from django.http import HttpRequest

from apps.users.models import User
from apps.users.selectors import passkeys_of
from apps.users.services import ceremonies
from apps.users.services.proofs import Proof, WrongCode, demand_proof
from brokle.kernel.errors import Conflict, Invalid
from brokle.web.rates import demand_rate

PASSKEYS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class NewCodes:
    """An authenticator app being set up: the secret is shown once and counts when a code of it has come."""

    secret: str
    url: str


def begin_codes(*, user: User) -> NewCodes:
    _demand_no_codes(user)
    secret = generate_totp_secret()
    return NewCodes(secret, get_mfa_adapter().build_totp_url(user, secret))


@transaction.atomic
def activate_codes(request: HttpRequest, *, user: User, secret: str, code: str, proof: Proof) -> list[str]:
    """Gives the recovery codes, this once."""
    demand_proof(user, proof)
    demand_rate("second-factor", str(user.pk), amount=5, window_s=300)
    _demand_no_codes(user)
    try:
        is_right = validate_totp_code(secret, code)
    except (ValueError, TypeError):
        raise Invalid("This is not a secret of ours", field="secret") from None
    if not is_right:
        raise WrongCode
    TOTP.activate(user, secret)
    get_adapter(request).send_notification_mail("mfa/email/totp_activated", user)
    return _first_recovery_codes(user)


@transaction.atomic
def remove_codes(request: HttpRequest, *, user: User, proof: Proof) -> None:
    demand_proof(user, proof)
    codes = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if codes is not None:
        delete_and_cleanup(request, codes)
        get_adapter(request).send_notification_mail("mfa/email/totp_deactivated", user)


@transaction.atomic
def renew_recovery_codes(request: HttpRequest, *, user: User, proof: Proof) -> list[str]:
    """The former ones end; the new ones are shown this once."""
    demand_proof(user, proof)
    User.objects.select_for_update().get(pk=user.pk)
    factors = Authenticator.objects.filter(user=user)
    if not factors.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
        raise Conflict("Set up an authenticator app or a passkey first")
    factors.filter(type=Authenticator.Type.RECOVERY_CODES).delete()
    get_adapter(request).send_notification_mail("mfa/email/recovery_codes_generated", user)
    return _first_recovery_codes(user)


def begin_passkey(request: HttpRequest, *, user: User, proof: Proof) -> dict[str, Any]:
    """What an authenticator is asked to make a passkey of; it signs in by itself."""
    demand_proof(user, proof)
    _demand_room(user)
    options = auth.begin_registration(user, passwordless=True)
    ceremonies.keep(request, place=f"new:{user.pk}")
    return ceremonies.as_json(options)


@transaction.atomic
def add_passkey(request: HttpRequest, *, user: User, form: Any) -> tuple[Authenticator, list[str]]:
    """The passkey, and recovery codes where it is the first second factor.

    The options it answers were given for proof, so this call needs none.
    """
    _demand_room(user)
    with ceremonies.resumed(request, place=f"new:{user.pk}"):
        if not form.is_valid():
            raise Invalid("This does not answer the options that were asked for last", field="credential")
    passkey = auth.WebAuthn.add(user, form.cleaned_data["name"], form.cleaned_data["credential"]).instance
    get_adapter(request).send_notification_mail("mfa/email/webauthn_added", user)
    return passkey, _first_recovery_codes(user)


def rename_passkey(*, passkey: Authenticator, name: str) -> None:
    passkey.wrap().name = name
    passkey.save(update_fields=["data"])


@transaction.atomic
def remove_passkey(request: HttpRequest, *, user: User, passkey: Authenticator, proof: Proof) -> None:
    demand_proof(user, proof)
    delete_and_cleanup(request, passkey)
    get_adapter(request).send_notification_mail("mfa/email/webauthn_removed", user)


def _first_recovery_codes(user: User) -> list[str]:
    """Made now and told this once; nothing where they were made before."""
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).exists():
        return []
    made = RecoveryCodes.activate(user)
    made.mark_as_viewed()
    return list(made.get_unused_codes())


def _demand_no_codes(user: User) -> None:
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        raise Conflict("An authenticator app is set up already; remove it first")


def _demand_room(user: User) -> None:
    if passkeys_of(user=user).count() >= PASSKEYS_MAX:
        raise Conflict(f"An account has at most {PASSKEYS_MAX} passkeys; remove some first")
