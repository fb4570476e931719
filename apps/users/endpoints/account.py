"""One's own account: profile, password, sessions."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.users import selectors
from apps.users.forms import ChangePasswordForm
from apps.users.models import User
from apps.users.services import accounts, api_passwords, api_sign_in
from brokle.edge.principal import Principal
from brokle.kernel.errors import Forbidden
from brokle.kernel.extensions import BearerPerson
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed


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


class OwnEndpoints(ApiViewSet):
    """What belongs to the person who calls."""

    def person(self) -> User:
        if isinstance(self.request.auth, Principal):
            raise Forbidden("API keys have no account; sign in, or use a personal access token")
        user: User = self.request.user
        return user


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

    def _session_id(self) -> str:
        auth = self.request.auth
        return auth.credential if isinstance(auth, BearerPerson) and auth.credential.startswith("ses_") else ""
