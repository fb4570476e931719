"""The forms of accounts: allauth's, with our fields and words."""

import zoneinfo
from typing import Any, ClassVar

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.base import forms as second_factor
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.users.services.engine import AccountAdapter, invited_address
from brokle.web.addresses import LONGEST, UnableToTrustAddress, trusted_address
from brokle.web.preferences import THEMES

_PASSWORD_LONGEST = 200


class AddressField(forms.EmailField):
    """Takes every spelling of an address for one, and refuses those that only look like another."""

    def __init__(self, autocomplete: str = "email", **options: Any) -> None:
        options.setdefault("label", _("E-mail"))
        widget = forms.EmailInput(attrs={"autocomplete": autocomplete, "dir": "ltr"})
        super().__init__(max_length=LONGEST, widget=widget, **options)

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if not found:
            return found
        try:
            return trusted_address(found)
        except UnableToTrustAddress as error:
            raise ValidationError(error.args[0], code="untrusted") from None


class PasswordField(forms.CharField):
    def __init__(self, autocomplete: str = "current-password", **options: Any) -> None:
        options.setdefault("label", _("Password"))
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "dir": "ltr"})
        super().__init__(max_length=_PASSWORD_LONGEST, strip=False, widget=widget, **options)


class NewPasswordField(PasswordField):
    """Judged with the person in view, so that it is not their own name."""

    user: Any = None

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("New password"))
        super().__init__(autocomplete="new-password", help_text=_("At least 10 characters."), **options)

    def clean(self, value: Any) -> Any:
        return AccountAdapter().clean_password(super().clean(value), user=self.user)


def name_field(**options: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"})
    return forms.CharField(label=_("Your name"), max_length=120, widget=widget, **options)


def code_field() -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"}
    return forms.CharField(label=_("Code"), max_length=20, widget=forms.TextInput(attrs=attributes))


class SignInForm(account.LoginForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["login"] = AddressField(autocomplete="username webauthn")
        self.fields["password"] = PasswordField()
        self.order_fields(["login", "password"])

    def add_prefix(self, field_name: str) -> str:
        """allauth calls it `login`; in the page it is what it is."""
        return super().add_prefix("email" if field_name == "login" else field_name)


class SignUpForm(account.SignupForm):
    field_order: ClassVar[list[str]] = ["name", "email", "password1"]
    name = name_field()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["email"] = AddressField()
        self.fields["password1"] = PasswordField(autocomplete="new-password", help_text=_("At least 10 characters."))
        self.order_fields(self.field_order)

    def clean_email(self) -> str:
        invited = invited_address(context.request)
        if settings.SIGNUP == "invited" and self.cleaned_data["email"] != invited:
            raise ValidationError(AccountAdapter.error_messages["not_invited"], code="not_invited")
        return str(super().clean_email())

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # as long as for an address that is free
        return super().try_save(request)


class ResetForm(account.ResetPasswordForm):
    email = AddressField()


class NewPasswordForm(account.ResetPasswordKeyForm):
    password1 = NewPasswordField()
    password2 = None


class FirstPasswordForm(account.SetPasswordForm):
    password1 = NewPasswordField()
    password2 = None


class ChangePasswordForm(account.ChangePasswordForm):
    oldpassword = PasswordField(label=_("Current password"))
    password1 = NewPasswordField()
    password2 = None


class PasswordAgainForm(account.ReauthenticateForm):
    password = PasswordField()


class CodeForm(second_factor.AuthenticateForm):
    code = code_field()


class CodeAgainForm(second_factor.ReauthenticateForm):
    code = code_field()


class ActivateCodesForm(totp.ActivateTOTPForm):
    code = code_field()


_UNREADABLE = _("The browser's answer could not be read. Try again.")


class CredentialField(forms.JSONField):
    """What the browser says about a passkey. Anything else is the sender's mistake."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput, error_messages={"invalid": _UNREADABLE, "required": _UNREADABLE})

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except RecursionError:
            raise ValidationError(_UNREADABLE) from None
        if found is not None and not (isinstance(found, dict) and isinstance(found.get("response"), dict)):
            raise ValidationError(_UNREADABLE)
        return found


class _Tolerant:
    """The reader of passkeys raises whatever its parts raise over bytes that are none."""

    def full_clean(self) -> None:
        try:
            super().full_clean()  # type: ignore[misc]
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError):
            self.add_error(None, _UNREADABLE)  # type: ignore[attr-defined]


class AddPasskeyForm(_Tolerant, webauthn.AddWebAuthnForm):
    name = forms.CharField(
        label=_("Name"), max_length=60, required=False, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    credential = CredentialField()
    passwordless = None


class RenamePasskeyForm(webauthn.EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"dir": "auto"}))


class PasskeySignInForm(_Tolerant, webauthn.LoginWebAuthnForm):
    credential = CredentialField()


class PasskeyCodeForm(_Tolerant, webauthn.AuthenticateWebAuthnForm):
    credential = CredentialField()


class PasskeyAgainForm(_Tolerant, webauthn.ReauthenticateWebAuthnForm):
    credential = CredentialField()


class ProfileForm(forms.Form):
    name = name_field(required=False)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Theme"), choices=[(name, name) for name in THEMES])
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        help_text=_("Mails and reports use it; pages show the time of your device."),
        widget=forms.TextInput(
            attrs={"list": "time-zones", "dir": "ltr", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def clean_time_zone(self) -> str:
        found: str = self.cleaned_data["time_zone"]
        if found not in zoneinfo.available_timezones():
            raise ValidationError(_("Choose one of the list, such as UTC."))
        return found


class ChangeAddressForm(forms.Form):
    email = AddressField(label=_("New e-mail address"))

    def __init__(self, *args: Any, current: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._current = current

    def clean_email(self) -> str:
        found: str = self.cleaned_data["email"]
        if found == self._current:
            raise ValidationError(_("This is your address already."))
        return found


class DeleteForm(forms.Form):
    confirm = forms.CharField(
        label=_("Your e-mail address"),
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "dir": "ltr"}),
    )
    password = PasswordField()

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_confirm(self) -> str:
        found: str = self.cleaned_data["confirm"].strip().lower()
        if found != self._user.email:
            raise ValidationError(_("Type the address of this account."))
        return found

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not AccountAdapter(context.request).reauthenticate(self._user, password):
            raise ValidationError(AccountAdapter.error_messages["incorrect_password"], code="incorrect_password")
        return password
