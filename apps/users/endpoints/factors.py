"""One's own second factors: the authenticator app, recovery codes, passkeys."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.users import selectors
from apps.users.endpoints.account import OwnEndpoints, ProofSerializer
from apps.users.forms import AddPasskeyForm
from apps.users.services import api_factors
from apps.users.services.proofs import Proof
from brokle.web.parsing import parsed


class NewCodesSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField()
    url = serializers.CharField(help_text="`otpauth://…`, for a QR code.")


class ActivateCodesSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(max_length=64)
    code = serializers.CharField(max_length=12, help_text="Of the app that is being set up.")
    password = serializers.CharField(max_length=200, trim_whitespace=False, help_text="Of the account.")


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(child=serializers.CharField(), help_text="Shown once.")


class RecoveryCodesLeftSerializer(serializers.Serializer[Any]):
    left = serializers.IntegerField(allow_null=True, help_text="How many are unused; null where there are none.")


class OptionsSerializer(serializers.Serializer[Any]):
    publicKey = serializers.DictField(  # noqa: N815 - WebAuthn's name
        help_text="As WebAuthn's JSON: `PublicKeyCredential.parseCreationOptionsFromJSON` and its like take it."
    )


class PasskeySerializer(serializers.ModelSerializer[Authenticator]):
    name = serializers.SerializerMethodField()

    class Meta:
        model = Authenticator
        fields = ("id", "name", "created_at", "last_used_at")

    def get_name(self, passkey: Authenticator) -> str:
        return str(passkey.wrap().name)


class PasskeysSerializer(serializers.Serializer[Any]):
    data = PasskeySerializer(many=True)  # type: ignore[assignment]


class AddedPasskeySerializer(PasskeySerializer):
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="With the first of one's second factors; shown once."
    )

    class Meta(PasskeySerializer.Meta):
        fields = (*PasskeySerializer.Meta.fields, "recovery_codes")


class AddPasskeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60, required=False, default="")
    credential = serializers.JSONField(help_text="What the authenticator says to the options, as WebAuthn's JSON.")


class RenamePasskeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)


class FactorEndpoints(OwnEndpoints):
    serializer_class = PasskeySerializer

    @extend_schema(summary="Begin to set up an authenticator app", request=None, responses=NewCodesSerializer)
    def begin_codes(self, request: Any) -> Response:
        codes = api_factors.begin_codes(user=self.person())
        return Response({"secret": codes.secret, "url": codes.url})

    @extend_schema(
        summary="Finish setting up an authenticator app",
        request=ActivateCodesSerializer,
        responses=RecoveryCodesSerializer,
    )
    def activate_codes(self, request: Any) -> Response:
        user, asked = self.person(), parsed(ActivateCodesSerializer, request)
        proof = Proof(password=asked.pop("password"))
        codes = api_factors.activate_codes(request._request, user=user, proof=proof, **asked)  # noqa: SLF001
        return Response({"recovery_codes": codes})

    @extend_schema(
        summary="Remove the authenticator app; the body holds `password` or `code`",
        request=ProofSerializer,
        responses={204: None},
    )
    def remove_codes(self, request: Any) -> Response:
        api_factors.remove_codes(request._request, user=self.person(), proof=self.proof())  # noqa: SLF001
        return Response(status=204)

    @extend_schema(summary="How many recovery codes are left", responses=RecoveryCodesLeftSerializer)
    def count_recovery_codes(self, request: Any) -> Response:
        return Response({"left": selectors.second_factors(user=self.person()).recovery_codes_left})

    @extend_schema(
        summary="Make new recovery codes; the former ones end",
        request=ProofSerializer,
        responses=RecoveryCodesSerializer,
    )
    def renew_recovery_codes(self, request: Any) -> Response:
        codes = api_factors.renew_recovery_codes(request._request, user=self.person(), proof=self.proof())  # noqa: SLF001
        return Response({"recovery_codes": codes})

    @extend_schema(summary="List your passkeys, in one page", responses=PasskeysSerializer)
    def list_passkeys(self, request: Any) -> Response:
        passkeys = selectors.passkeys_of(user=self.person()).order_by("created_at")
        return Response({"data": PasskeySerializer(passkeys, many=True).data})

    @extend_schema(summary="Begin to add a passkey", request=ProofSerializer, responses=OptionsSerializer)
    def begin_passkey(self, request: Any) -> Response:
        return Response(api_factors.begin_passkey(request._request, user=self.person(), proof=self.proof()))  # noqa: SLF001

    @extend_schema(
        summary="Finish adding a passkey", request=AddPasskeySerializer, responses={201: AddedPasskeySerializer}
    )
    def add_passkey(self, request: Any) -> Response:
        user = self.person()
        form = AddPasskeyForm(parsed(AddPasskeySerializer, request), user=user)
        passkey, codes = api_factors.add_passkey(request._request, user=user, form=form)  # noqa: SLF001
        return Response({**PasskeySerializer(passkey).data, "recovery_codes": codes}, status=201)

    @extend_schema(summary="Rename a passkey", request=RenamePasskeySerializer, responses=PasskeySerializer)
    def rename_passkey(self, request: Any, pk: int) -> Response:
        passkey = get_object_or_404(selectors.passkeys_of(user=self.person()), pk=pk)
        api_factors.rename_passkey(passkey=passkey, **parsed(RenamePasskeySerializer, request))
        return Response(PasskeySerializer(passkey).data)

    @extend_schema(
        summary="Remove a passkey; the body holds `password` or `code`", request=ProofSerializer, responses={204: None}
    )
    def remove_passkey(self, request: Any, pk: int) -> Response:
        user = self.person()
        passkey = get_object_or_404(selectors.passkeys_of(user=user), pk=pk)
        api_factors.remove_passkey(request._request, user=user, passkey=passkey, proof=self.proof())  # noqa: SLF001
        return Response(status=204)
