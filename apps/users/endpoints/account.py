"""One's own account: profile, address, password, sessions, its end."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.users import selectors
from apps.users.forms import ChangeAddressForm, ChangePasswordForm
from apps.users.models import User
from apps.users.services import accounts, api_passwords, api_sign_in, sessions
from apps.users.services.proofs import Proof, demand_proof, refusal
from brokle.edge.principal import Principal
from brokle.kernel.errors import Forbidden, NotFound
from brokle.kernel.extensions import BearerPerson
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.links import absolute_url
from brokle.web.parsing import parsed
from brokle.web.rates import demand_rate


class PersonSerializer(serializers.ModelSerializer[User]):
    initials = serializers.CharField(read_only=True)
    is_verified = serializers.SerializerMethodField(help_text="Whether the e-mail address is confirmed.")
    second_factors = serializers.SerializerMethodField(help_text="Any of totp, webauthn and recovery_codes.")

    class Meta:
        model = User
        fields = (
            *("id", "email", "name", "initials", "language", "time_zone", "theme"),
            *("is_verified", "second_factors", "created_at"),
        )

    def get_is_verified(self, user: User) -> bool:
        return selectors.is_address_verified(user=user)

    def get_second_factors(self, user: User) -> list[str]:
        return selectors.list_factor_kinds(user=user)


class SignOutSerializer(serializers.Serializer[Any]):
    everywhere = serializers.BooleanField(default=False, help_text="Ends every session, of browsers too.")


class ChangePasswordSerializer(serializers.Serializer[Any]):
    password = serializers.CharField(max_length=200, trim_whitespace=False, help_text="The one of now.")
    new_password = serializers.CharField(max_length=200, trim_whitespace=False)


class ProfileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=("en", "ar"), required=False)
    time_zone = serializers.ChoiceField(choices=selectors.time_zones(), required=False)
    theme = serializers.ChoiceField(choices=("light", "dark", "system"), required=False)


class ProofSerializer(serializers.Serializer[Any]):
    """Who changes how they sign in proves once more who they are."""

    password = serializers.CharField(max_length=200, trim_whitespace=False, required=False)
    code = serializers.CharField(
        max_length=32, required=False, help_text="Instead: of the authenticator app, or a recovery code."
    )


class NewAddressSerializer(ProofSerializer):
    """The address changes when the link in the mail to it is followed."""

    email = serializers.EmailField(max_length=254)


class SessionSerializer(serializers.Serializer[Any]):
    """A browser that is signed in."""

    id = serializers.IntegerField()
    device = serializers.CharField()
    ip = serializers.CharField()
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    is_this = serializers.BooleanField(help_text="Whether it is the one that asks.")


class SessionsSerializer(serializers.Serializer[Any]):
    data = SessionSerializer(many=True)  # type: ignore[assignment]


class OwnEndpoints(ApiViewSet):
    """What belongs to the person who calls."""

    def person(self) -> User:
        if isinstance(self.request.auth, Principal):
            raise Forbidden("API keys have no account; sign in, or use a personal access token")
        user: User = self.request.user
        return user

    def proof(self) -> Proof:
        return Proof(**parsed(ProofSerializer, self.request))


class AccountEndpoints(OwnEndpoints):
    serializer_class = PersonSerializer

    @extend_schema(summary="Who you are")
    def retrieve(self, request: Any) -> Response:
        return Response(PersonSerializer(self.person()).data)

    @extend_schema(summary="Change your profile", request=ProfileSerializer)
    def partial_update(self, request: Any) -> Response:
        user = self.person()
        kept = {name: getattr(user, name) for name in ("name", "language", "time_zone", "theme")}
        asked = parsed(ProfileSerializer, request)
        accounts.change_profile(user=user, actor=actor_of(request), **{**kept, **asked})
        return Response(PersonSerializer(user).data)

    @extend_schema(
        summary="Delete your account; the body holds `password` or `code`",
        request=ProofSerializer,
        responses={204: None},
    )
    def destroy(self, request: Any) -> Response:
        user = self.person()
        demand_proof(user, self.proof())
        accounts.delete_account(user=user, actor=actor_of(request))
        return Response(status=204)

    @extend_schema(
        summary="Ask for another e-mail address; a mail to it holds the link",
        request=NewAddressSerializer,
        responses={202: None},
    )
    def change_address(self, request: Any) -> Response:
        asked, user = parsed(NewAddressSerializer, request), self.person()
        demand_rate("address", str(user.pk), amount=5, window_s=300)
        form = ChangeAddressForm(data={"email": asked.pop("email")}, current=user.email)
        if not form.is_valid():
            raise refusal(form)
        demand_proof(user, Proof(**asked))
        accounts.ask_to_change_address(
            user=user,
            new=form.cleaned_data["email"],
            confirm_url=lambda token: absolute_url(reverse("account_email_confirm", args=[token]), request),
            reset_url=absolute_url(reverse("account_reset_password"), request),
        )
        return Response(status=202)

    @extend_schema(summary="List the browsers you are signed in with, in one page", responses=SessionsSerializer)
    def list_sessions(self, request: Any) -> Response:
        lines = selectors.list_sessions(user=self.person(), session_key=self._session_key())
        return Response({"data": SessionSerializer(lines, many=True).data})

    @extend_schema(summary="End the session of a browser", responses={204: None})
    def end_session(self, request: Any, session_id: int) -> Response:
        try:
            session = selectors.get_session(user=self.person(), session_id=session_id)
        except UserSession.DoesNotExist:
            raise NotFound from None
        sessions.end_session(session=session, actor=actor_of(request))
        return Response(status=204)

    @extend_schema(summary="Sign out, here or everywhere", request=SignOutSerializer, responses={204: None})
    def sign_out(self, request: Any) -> Response:
        everywhere = parsed(SignOutSerializer, request)["everywhere"]
        api_sign_in.sign_out(
            user=self.person(), session_id=self._session_id(), everywhere=everywhere, actor=actor_of(request)
        )
        return Response(status=204)

    @extend_schema(summary="Change your password", request=ChangePasswordSerializer, responses={204: None})
    def change_password(self, request: Any) -> Response:
        asked, user = parsed(ChangePasswordSerializer, request), self.person()
        sent = {"oldpassword": asked["password"], "password1": asked["new_password"]}
        form = ChangePasswordForm(data=sent, user=user)
        api_passwords.change(
            request._request,  # noqa: SLF001 - allauth's door
            user=user,
            form=form,
            keep=self._session_id(),
        )
        return Response(status=204)

    def _session_key(self) -> str | None:
        """Of the browser that calls, if it is one."""
        key: str | None = None if self.request.auth is not None else self.request.session.session_key
        return key

    def _session_id(self) -> str:
        auth = self.request.auth
        return auth.credential if isinstance(auth, BearerPerson) and auth.credential.startswith("ses_") else ""
