"""Second factors and passkeys."""

from typing import Any

from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.users import selectors
from apps.users.services.engine import NOT_SIGNED_IN
from apps.users.services.records import record_failed_sign_in
from apps.users.services.social import is_configured
from apps.users.views.limits import too_many_attempts
from apps.users.views.pages import Page, is_tried_too_often, whole
from brokle.web.actor import actor_of


class Authenticate(base.AuthenticateView):
    template_name = "mfa/authenticate.html"

    def form_invalid(self, form: Any) -> HttpResponse:
        if is_tried_too_often(form):
            return too_many_attempts(self.request)
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        factors = selectors.second_factors(user=self.stage.login.user)
        return {**super().get_context_data(**more), "factors": factors}


class CodeAgain(Page, base.ReauthenticateView):
    template_name = "auth/again.html"


class PasskeyAgain(webauthn.ReauthenticateWebAuthnView):
    template_name = "auth/again-passkey.html"

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        found = super().get_context_data(**more)
        return {**found, "form": more.get("form") or self.get_form()}


class SignInByPasskey(webauthn.LoginWebAuthnView):
    def form_invalid(self, form: Any) -> HttpResponse:
        """The same words for a passkey that nobody knows and for that of a locked account."""
        record_failed_sign_in(address="", actor=actor_of(self.request), method=str(Authenticator.Type.WEBAUTHN))
        messages.error(self.request, str(NOT_SIGNED_IN))
        return HttpResponseRedirect(reverse("account_login"))


class ActivateCodes(Page, totp.ActivateTOTPView):
    template_name = "mfa/totp-activate.html"


class RemoveCodes(Page, totp.DeactivateTOTPView):
    template_name = "mfa/totp-remove.html"


class AddPasskey(Page, webauthn.AddWebAuthnView):
    template_name = "mfa/passkey-add.html"

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Always one that signs in by itself: allauth would begin with a mere second factor."""
        options = auth.begin_registration(self.request.user, passwordless=True)
        return {"form": more.get("form") or self.get_form(), "view": self, "options": options}


class RemovePasskey(webauthn.RemoveWebAuthnView):
    template_name = "mfa/passkey-remove.html"
    success_url = reverse_lazy("mfa_index")


class RenamePasskey(Page, webauthn.EditWebAuthnView):
    template_name = "mfa/passkey-rename.html"
    success_url = reverse_lazy("mfa_index")


class ShowRecoveryCodes(codes.ViewRecoveryCodesView):
    template_name = "mfa/recovery-codes.html"

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**more)
        return {**found, "codes_text": "\n".join(found["unused_codes"])}


class RenewRecoveryCodes(Page, codes.GenerateRecoveryCodesView):
    template_name = "mfa/recovery-codes-renew.html"


@never_cache
@require_safe
@login_required
def security(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    linked = selectors.list_linked_accounts(user=user)
    linked_ids = {one.provider for one in linked}
    context = {
        "factors": selectors.second_factors(user=user),
        "linked": linked,
        "linkable": [one for one in settings.SOCIALACCOUNT_PROVIDERS if is_configured(one) and one not in linked_ids],
        "has_password": user.has_usable_password(),
    }
    return render(request, "settings/security.html", context)


def passkeys(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("mfa_index"))


authenticate = whole(Authenticate.as_view())
code_again = whole(CodeAgain.as_view())
passkey_again = whole(PasskeyAgain.as_view())
sign_in_by_passkey = whole(SignInByPasskey.as_view())
activate_codes = whole(ActivateCodes.as_view())
remove_codes = whole(RemoveCodes.as_view())
add_passkey = whole(AddPasskey.as_view())
remove_passkey = whole(RemovePasskey.as_view())
rename_passkey = whole(RenamePasskey.as_view())
show_recovery_codes = never_cache(ShowRecoveryCodes.as_view())
renew_recovery_codes = whole(RenewRecoveryCodes.as_view())
