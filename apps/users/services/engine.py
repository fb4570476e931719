"""What allauth, the engine of accounts, asks of us: who may sign up, how mail goes out, how secrets are kept."""

import base64
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.stagekit import clear_login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from apps.users.models import User
from apps.users.services.letters import send_letter
from apps.users.services.records import person, record, record_failed_sign_in
from brokle.kernel.sealing import Sealer
from brokle.web import preferences
from brokle.web.actor import actor_of
from brokle.web.addresses import UnableToTrustAddress, normal_address, trusted_address
from brokle.web.devices import device_name
from brokle.web.errors import wants_problem
from brokle.web.links import absolute_url
from brokle.web.live.publish import recheck_sockets

TOO_MANY = "too_many_login_attempts"
NOT_SIGNED_IN = _("This did not sign you in. Try another way, or ask whoever runs this installation.")
_INVITED = "account_verified_email"
_PLACE = "second-factor"

# What allauth says by its templates, in our words; what is not here needs no words.
_SAID = {
    "account/messages/password_changed.txt": _("Your password is changed. Every other session has ended."),
    "account/messages/password_set.txt": _("Your password is set."),
    "account/messages/email_confirmed.txt": _("Your e-mail address is confirmed."),
    "account/messages/email_confirmation_failed.txt": _("This address belongs to another account."),
    "mfa/messages/totp_activated.txt": _("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": _("The authenticator app is removed."),
    "mfa/messages/webauthn_added.txt": _("The passkey is added."),
    "mfa/messages/webauthn_removed.txt": _("The passkey is removed."),
    "socialaccount/messages/account_connected.txt": _("The account is linked."),
    "socialaccount/messages/account_connected_other.txt": _("That account is linked to somebody else here."),
    "socialaccount/messages/account_disconnected.txt": _("The account is no longer linked."),
}


def invited_address(request: HttpRequest) -> str:
    """The address whose invitation this visitor followed; that mailbox is proven."""
    return str(request.session.get(_INVITED) or "")


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("That e-mail address and password do not belong together."),
        "email_taken": _("There is already an account with this e-mail address. Sign in, or reset its password."),
        "enter_current_password": _("This is not your current password."),
        "incorrect_code": _("This code is not right."),
        "incorrect_password": _("This is not your password."),
        "invalid_password_reset": _("This link was used already or is too old."),
        TOO_MANY: _("Too many attempts. Wait a moment, then try again."),
        "rate_limited": _("Too many attempts. Wait a moment, then try again."),
        "not_invited": _("The invitation is for another e-mail address."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.SIGNUP == "open" or (settings.SIGNUP == "invited" and bool(invited_address(request)))

    def clean_email(self, email: str) -> str:
        try:
            return trusted_address(email)
        except UnableToTrustAddress as error:
            raise forms.ValidationError(error.args[0]) from None

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.name = form.cleaned_data.get("name", "")
        user.language = get_language() or settings.LANGUAGE_CODE
        user.theme = getattr(request, "theme", preferences.DEFAULT_THEME)
        return super().save_user(request, user, form, commit=commit)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        send_letter(template_prefix, to=email, context=context)

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        super().send_notification_mail(template_prefix, user, {**(context or {}), "user": user}, email)

    def send_account_already_exists_mail(self, email: str) -> None:
        user = User.objects.filter(email=normal_address(email)).first()
        url = absolute_url(reverse("account_reset_password"), self.request)
        self.send_mail("account/email/account_already_exists", email, {"user": user, "password_reset_url": url})

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return absolute_url(reverse("account_confirm_email", args=[emailconfirmation.key]), request)

    def get_reset_password_from_key_url(self, key: str) -> str:
        uid, _dash, token = key.partition("-")
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": token})
        return absolute_url(path, self.request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """A program has no next page that could show it."""
        text = message or _SAID.get(message_template or "")
        if text and not wants_problem(request):
            messages.add_message(request, level, str(text))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """A locked account answers as a wrong password does, and is counted and recorded alike."""
        user = super().authenticate(request, **credentials)
        if user is None or user.is_active:
            return user
        self.pre_authenticate(request, **credentials)  # what a right password was given back is taken again
        self.authentication_failed(request, **credentials)
        return None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failed_sign_in(address=credentials.get("email", ""), actor=actor_of(request))

    def pre_login(self, request: HttpRequest, user: Any, **more: Any) -> HttpResponse | None:
        return super().pre_login(request, user, **more) if user.is_active else self.respond_user_inactive(request, user)

    def login(self, request: HttpRequest, user: Any) -> None:
        """Somebody may have been locked since their first step."""
        if not user.is_active:
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Whatever door they came through, the answer is that of a proof that is wrong."""
        methods = _how(request, user)["methods"]
        record_failed_sign_in(address=user.email, actor=actor_of(request), method=methods[-1] if methods else "link")
        clear_login(request)
        messages.error(request, str(NOT_SIGNED_IN))
        return HttpResponseRedirect(reverse("account_login"))

    def post_login(self, request: HttpRequest, user: Any, **more: Any) -> HttpResponse:
        response = super().post_login(request, user, **more)
        record("signed_in", user_id=str(user.pk), actor=person(request, str(user.pk)), after=_how(request, user))
        preferences.remember_unless_chosen(request, response, language=user.language, theme=user.theme)
        return response

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        if user.is_authenticated:
            record("signed_out", user_id=str(user.pk), actor=actor_of(request))
            recheck_sockets(user_id=str(user.pk))
        super().logout(request)


def _how(request: HttpRequest, user: Any) -> dict[str, Any]:
    """By which means, in order: `password`, then perhaps `totp`."""
    found = get_authentication_records(request, user)
    return {"methods": [one.get("type") or one.get("provider") or one["method"] for one in found]}


class SecondFactorAdapter(DefaultMFAAdapter):
    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is not right."),
        "cannot_generate_recovery_codes": _("Set up an authenticator app or a passkey first."),
    }

    def encrypt(self, text: str) -> str:
        return base64.b64encode(Sealer(settings.ROOT_SECRETS).seal(text.encode(), place=_PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return Sealer(settings.ROOT_SECRETS).unseal(base64.b64decode(encrypted_text), place=_PLACE).decode()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002 - allauth's name
        from allauth.core import context

        return device_name(context.request.headers.get("user-agent", "")) or gettext("Passkey")

    def _get_site_name(self) -> str:
        return "Brokle"

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        return {"id": str(user.pk).encode(), "display_name": user.name or user.email, "name": user.email}
