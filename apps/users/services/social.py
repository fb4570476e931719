"""Sign-in with GitHub and Google: linked by verified address only, fetched through the egress policy only."""

import json
from typing import Any, Self
from urllib.parse import urlencode

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language, gettext

from apps.users.models import User
from apps.users.services.engine import invited_address
from apps.users.services.records import record_failed_sign_in
from brokle.edge.egress.door import Door, Fetched, operator_door
from brokle.kernel.errors import BrokleError
from brokle.web.actor import actor_of
from brokle.web.addresses import UnableToTrustAddress, trusted_address
from brokle.web.formatting import sentence


class SocialAdapter(DefaultSocialAccountAdapter):
    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """From the environment alone: no table holds a client's secret."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        """Also one that the operator has taken away since: what was linked with it is still shown and unlinked."""
        try:
            return super().get_provider(request, provider, client_id)
        except SocialApp.DoesNotExist:
            known = registry.get_class(provider)
            if known is None:
                raise
            return known(request, app=SocialApp(provider=provider, name=known.name))

    def get_requests_session(self) -> "EgressSession":
        return EgressSession(self.door())

    def door(self) -> Door:
        return operator_door()

    def authenticate_by_email(self, sociallogin: Any) -> tuple[Any, str] | None:
        """Only into an account whose owner has proven the same address here."""
        for address in _proven(sociallogin):
            found = EmailAddress.objects.filter(email=address, verified=True).select_related("user").first()
            if found is not None:
                return found.user, address
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        name = sociallogin.provider.name
        if sociallogin.is_existing and not sociallogin.user.is_active:
            actor, method = actor_of(request), sociallogin.account.provider
            record_failed_sign_in(address=sociallogin.user.email, actor=actor, method=method)
            raise _refused(request, name)
        if sociallogin.is_existing or sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        proven = _proven(sociallogin)
        if not proven:
            text = gettext("%(provider)s knows no verified e-mail address of yours. Verify one there, then try again.")
            raise _back(request, sentence(text, provider=name))
        address = proven[0]
        if User.objects.filter(email__in=proven).exists():
            text = gettext(
                "There is already an account with this address, but nobody has confirmed it yet. "
                "Reset its password by mail, then link %(provider)s in your settings."
            )
            raise _back(request, sentence(text, provider=name))
        if not self.is_open_for_signup(request, sociallogin) or invited_address(request) not in {"", address}:
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_signup")))
        user = sociallogin.user
        user.email = address
        user.language = get_language() or settings.LANGUAGE_CODE
        sociallogin.email_addresses = [EmailAddress(email=address, verified=True, primary=True)]

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        whole = " ".join(filter(None, [data.get("first_name"), data.get("last_name")]))
        user.name = (data.get("name") or whole or "")[:120]
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        raise _refused(request, provider.name)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("mfa_index")


def _proven(sociallogin: Any) -> list[str]:
    """The addresses that the provider has verified and that look like nobody else's, the main one first."""
    found = []
    for one in sorted(sociallogin.email_addresses, key=lambda one: not one.primary):
        if one.verified:
            try:
                found.append(trusted_address(one.email))
            except UnableToTrustAddress:
                continue
    return found


def _refused(request: HttpRequest, name: str) -> ImmediateHttpResponse:
    """Also for a locked account: it hears no more than somebody whom the provider does not know."""
    text = gettext("%(provider)s did not sign you in. Try again, or use your password.")
    return _back(request, sentence(text, provider=name))


def _back(request: HttpRequest, text: str) -> ImmediateHttpResponse:
    messages.error(request, text)
    return ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login")))


def is_configured(provider: str) -> bool:
    return bool(settings.SOCIALACCOUNT_PROVIDERS.get(provider, {}).get("APPS"))


class EgressSession:
    """As much of a `requests` session as allauth uses, through the door that checks every address."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *more: object) -> None:
        return

    def get(self, url: str, **more: Any) -> "EgressAnswer":
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> "EgressAnswer":
        return self.request("POST", url, **more)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,
    ) -> "EgressAnswer":
        if auth is not None:
            raise OAuth2Error("only the body carries the client's secret")
        whole = f"{url}?{urlencode(params)}" if params else url
        sent = [("accept", "application/json"), ("user-agent", "brokle"), *(headers or {}).items()]
        body = None
        if data is not None:
            body = urlencode(data).encode()
            sent.append(("content-type", "application/x-www-form-urlencoded"))
        try:
            return EgressAnswer(self._door.fetch(method, whole, headers=sent, body=body, decode=True))
        except BrokleError as error:
            raise OAuth2Error(error.title) from error


class EgressAnswer:
    def __init__(self, fetched: Fetched) -> None:
        self.status_code = fetched.status
        self.headers = {"content-type": fetched.header("content-type")}
        self.content = fetched.body
        self.ok = fetched.status < 400

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        try:
            return json.loads(self.content)
        except ValueError:
            raise OAuth2Error("the provider's answer is not JSON") from None

    def raise_for_status(self) -> None:
        if not self.ok:
            raise OAuth2Error(f"the provider answered {self.status_code}")
