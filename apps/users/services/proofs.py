"""What a program sends to prove that its person is there: the password, or a code."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator

from apps.users.models import User
from brokle.kernel.errors import BrokleError, Forbidden, Invalid, Unauthorized
from brokle.web.rates import demand_rate


class WrongCredentials(Unauthorized):
    code, title = "wrong_credentials", "That e-mail address and password do not belong together"


class WrongCode(BrokleError):
    code, status, title = "wrong_code", 401, "This code is not right"


class ProofNeeded(Forbidden):
    code, title = "proof_needed", "Send your `password`, or a `code` of your second factor, with this call"


@dataclass(frozen=True, slots=True)
class Proof:
    password: str = ""
    code: str = ""


def demand_proof(user: User, proof: Proof) -> None:
    """A stolen token alone changes nobody's way to sign in."""
    if proof.password:
        demand_rate("password", str(user.pk), amount=5, window_s=300)
        if not user.check_password(proof.password):
            raise WrongCredentials("This is not your password")
    elif proof.code:
        demand_rate("second-factor", str(user.pk), amount=5, window_s=300)
        if not matching_factor(user, proof.code):
            raise WrongCode
    else:
        raise ProofNeeded


def matching_factor(user: User, code: str) -> str:
    """By which factor the code is right, if any; a recovery code is used up by it."""
    for one in Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN):
        if one.wrap().validate_code(code):
            one.record_usage()
            return str(one.type)
    return ""


def refusal(form: Any) -> Invalid:
    """A form that was refused, as the API says it."""
    name, errors = next(iter(form.errors.items()))
    names = {"password1": "new_password" if "email" not in form.fields else "password", "oldpassword": "password"}
    return Invalid(str(errors[0]), field=names.get(name, name))
