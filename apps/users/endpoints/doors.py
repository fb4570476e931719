"""What anybody may call: sign-up, sign-in with tokens, the second factor, a forgotten password."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.users.endpoints.factors import OptionsSerializer
from apps.users.forms import PasskeyCodeForm, ResetForm, SignUpForm
from apps.users.services import api_passwords, api_sessions, api_sign_in
from brokle.kernel.errors import Invalid
from brokle.web.api import ApiViewSet
from brokle.web.parsing import parsed
from brokle.web.problems import problem_response
from brokle.web.rates import demand_rate


class SignUpSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    name = serializers.CharField(max_length=120)


class SignInSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class PairSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField(help_text="Good for `expires_in` seconds: `Authorization: Bearer …`.")
    refresh_token = serializers.CharField(help_text="Good once, within 24 hours.")
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()


class RefreshSerializer(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(max_length=4000)


class ChallengeSerializer(serializers.Serializer[Any]):
    challenge = serializers.CharField(max_length=4000, help_text="From the answer to the sign-in.")


class AnswerSerializer(ChallengeSerializer):
    """Either of the two."""

    code = serializers.CharField(
        max_length=32, required=False, help_text="Of the authenticator app, or a recovery code."
    )
    credential = serializers.JSONField(
        required=False, help_text="What the passkey says to the options of `mfa/verify/options`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("code" in attrs) is ("credential" in attrs):
            raise Invalid("Send a `code` or a `credential`", field="code")
        return attrs


class ResetSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)


class NewPasswordSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200, help_text="What stands last in the link of the mail.")
    new_password = serializers.CharField(max_length=200, trim_whitespace=False)


def _pair(pair: api_sessions.Pair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": "Bearer",
        "expires_in": pair.expires_in_s,
    }


class DoorEndpoints(ApiViewSet):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PairSerializer

    @extend_schema(
        summary="Create an account; a mail asks to confirm the address", request=SignUpSerializer, responses={202: None}
    )
    def sign_up(self, request: Any) -> Response:
        demand_rate("signup", request.META.get("REMOTE_ADDR") or "-", amount=20, window_s=60)
        asked = parsed(SignUpSerializer, request)
        form = SignUpForm({"email": asked["email"], "password1": asked["password"], "name": asked["name"]})
        api_sign_in.sign_up(request._request, form=form)  # noqa: SLF001 - allauth's door
        return Response(status=202)

    @extend_schema(
        summary="Sign in; with a second factor the answer is 401 `mfa_required` and a challenge",
        request=SignInSerializer,
        responses=PairSerializer,
    )
    def sign_in(self, request: Any) -> Any:
        demand_rate("login", request.META.get("REMOTE_ADDR") or "-", amount=30, window_s=60)
        try:
            pair = api_sign_in.sign_in(request._request, **parsed(SignInSerializer, request))  # noqa: SLF001
        except api_sign_in.SecondFactorNeeded as needed:
            return _challenge(request, needed)
        return Response(_pair(pair))

    @extend_schema(
        summary="Ask for the question that a passkey answers as second factor",
        request=ChallengeSerializer,
        responses=OptionsSerializer,
    )
    def verify_options(self, request: Any) -> Response:
        demand_rate("passkey", request.META.get("REMOTE_ADDR") or "-", amount=10, window_s=60)
        asked = parsed(ChallengeSerializer, request)
        return Response(api_sign_in.begin_passkey_answer(request._request, **asked))  # noqa: SLF001 - allauth's door

    @extend_schema(
        summary="Answer the challenge of a second factor, by code or passkey",
        request=AnswerSerializer,
        responses=PairSerializer,
    )
    def verify(self, request: Any) -> Response:
        asked = parsed(AnswerSerializer, request)
        if "credential" in asked:
            said = {"credential": asked.pop("credential")}
            asked["passkey"] = lambda user: PasskeyCodeForm(said, user=user)
        return Response(_pair(api_sign_in.answer_challenge(request._request, **asked)))  # noqa: SLF001

    @extend_schema(
        summary="Take the next pair of tokens; a refresh token that comes twice ends its session",
        request=RefreshSerializer,
        responses=PairSerializer,
    )
    def refresh(self, request: Any) -> Response:
        return Response(_pair(api_sessions.refresh(parsed(RefreshSerializer, request)["refresh_token"])))

    @extend_schema(
        summary="Ask for a mail that leads to a new password", request=ResetSerializer, responses={202: None}
    )
    def reset(self, request: Any) -> Response:
        form = ResetForm(parsed(ResetSerializer, request))
        api_passwords.ask_for_reset(request._request, form=form)  # noqa: SLF001
        return Response(status=202)

    @extend_schema(
        summary="Choose the new password; every session of the account ends",
        request=NewPasswordSerializer,
        responses={204: None},
    )
    def confirm_reset(self, request: Any) -> Response:
        demand_rate("reset-confirm", request.META.get("REMOTE_ADDR") or "-", amount=20, window_s=60)
        api_passwords.reset(request._request, **parsed(NewPasswordSerializer, request))  # noqa: SLF001
        return Response(status=204)


def _challenge(request: Any, needed: api_sign_in.SecondFactorNeeded) -> HttpResponse:
    more = {"challenge": needed.challenge, "methods": needed.methods}
    verify = "/api/v1/auth/mfa/verify"
    detail = f"Send a code with this challenge to {verify}, or ask {verify}/options what your passkey has to answer"
    return problem_response(request, 401, "mfa_required", "A second factor is needed", detail, **more)
