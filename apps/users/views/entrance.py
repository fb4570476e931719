"""Sign-in, sign-up, and the proof of an address."""

from typing import Any

from allauth.account import views as account
from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.users.selectors import any_user_exists
from apps.users.services.engine import AccountAdapter, invited_address
from apps.users.views.pages import Page, whole
from brokle.kernel.extensions import login_methods


class _Entrance(Page):
    def get_context_data(self, **more: Any) -> dict[str, Any]:
        request = self.request
        found: dict[str, Any] = super().get_context_data(**more)  # type: ignore[misc]
        return {
            **found,
            "next": get_next_redirect_url(request) or "",
            "methods": login_methods.collect(),
            "passkey_url": reverse("mfa_login_webauthn"),
            "may_sign_up": AccountAdapter(request).is_open_for_signup(request),
        }


class SignIn(_Entrance, account.LoginView):
    template_name = "auth/login.html"


class SignUp(_Entrance, account.SignupView):
    template_name = "auth/signup.html"
    template_name_signup_closed = "auth/signup-closed.html"

    def dispatch(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        if not any_user_exists():
            return HttpResponseRedirect(reverse("onboarding"))
        return super().dispatch(request, *args, **more)

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        found = super().get_context_data(**more)
        return {**found, "invited": invited_address(self.request)}


class SignOut(account.LogoutView):
    template_name = "auth/logout.html"


class MailSent(account.EmailVerificationSentView):
    template_name = "auth/mail-sent.html"

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        found = super().get_context_data(**more)
        return {**found, "is_logged": settings.EMAIL_BACKEND.endswith("ConsoleBackend")}


class ConfirmAddress(account.ConfirmEmailView):
    template_name = "auth/confirm.html"

    def post(self, *args: Any, **more: Any) -> HttpResponse:
        """A link that is used up says so, like one that is opened."""
        if self.find() is None:
            return self.get(*args, **more)
        return super().post(*args, **more)

    def find(self) -> Any:
        from allauth.account.models import get_emailconfirmation_model

        return get_emailconfirmation_model().from_key(self.kwargs["key"])

    def render_to_response(self, context: dict[str, Any], **more: Any) -> Any:
        return super().render_to_response(context, status=200 if context["confirmation"] else 410, **more)


sign_in = whole(SignIn.as_view())
_sign_up = whole(SignUp.as_view())
sign_out = whole(SignOut.as_view())
mail_sent = MailSent.as_view()
confirm_address = whole(ConfirmAddress.as_view())


def sign_up(request: HttpRequest) -> Any:
    """Of two who take the same address at the same moment, the second is answered as if they had come later."""
    try:
        return _sign_up(request)
    except IntegrityError:
        return _sign_up(request)
