"""What other rooms may ask of users."""

from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.auth import login
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.users import selectors
from apps.users.contracts import PersonFacts
from apps.users.models import User
from apps.users.services import accounts, operating
from apps.users.services.records import person, record
from brokle.ground.services import Actor
from brokle.kernel.errors import Invalid, NotFound
from brokle.web.addresses import UnableToTrustAddress, trusted_address


def any_user_exists() -> bool:
    """Whether somebody has signed up here yet."""
    return selectors.any_user_exists()


def find_user_id(*, email: str) -> str | None:
    """Who has this address, in whatever case it is written."""
    return selectors.find_user_id(email=email)


def check_address(*, email: str) -> str:
    """The one spelling of an address; raises Invalid with the reason when it only looks like somebody else's."""
    try:
        return trusted_address(email)
    except UnableToTrustAddress as error:
        raise Invalid(str(error.args[0]), field="email") from None


def list_names(*, user_ids: list[str]) -> dict[str, str]:
    """What to call these people, by id."""
    rows = User.objects.filter(id__in=user_ids).values_list("id", "name", "email")
    return {user_id: name or email for user_id, name, email in rows}


def create_owner(
    *,
    email: str,
    password: str,
    name: str = "",
    language: str = "en",
    is_operator: bool = False,
    created_at: datetime | None = None,
) -> str:
    """The first owner, verified; returns the id. `created_at` is for people of a story, who were here before."""
    user = accounts.create_verified_user(
        email=email, password=password, name=name, language=language, is_operator=is_operator, created_at=created_at
    )
    return str(user.id)


def invite_to_sign_up(request: HttpRequest, *, email: str) -> None:
    """The visitor followed a valid invitation sent to `email`: they may sign up with it, and it needs no other proof.

    Lead them to `/auth/signup?next=…` afterwards.
    """
    get_adapter(request).stash_verified_email(request, check_address(email=email))


@transaction.atomic
def sign_in_as(request: HttpRequest, *, user_id: str) -> None:
    """Starts a session for somebody who has just proven who they are; it asks for no second factor."""
    user = User.objects.get(id=user_id)
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    UserSession.objects.create_from_request(request)
    record("signed_in", user_id=user_id, actor=person(request, user_id), after={"methods": ["first_visit"]})


def people() -> QuerySet[User]:
    """For the operator: everybody, to be read a page at a time."""
    return User.objects.all()


def people_matching(rows: QuerySet[User], text: str) -> QuerySet[User]:
    """Those of them with this in their address or name, or with this id; all of them for an empty text."""
    return selectors.people_matching(rows, text)


def describe_person(*, user_id: str) -> PersonFacts:
    """For the operator: how an account is kept, or NotFound."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise NotFound
    return selectors.describe_person(user)


def list_operators() -> list[PersonFacts]:
    """Whoever runs this installation, by address."""
    return [selectors.describe_person(user) for user in selectors.list_operators()]


def lock_person(*, user_id: str, reason: str, actor: Actor) -> None:
    """Ends every session, refuses every token; the last operator and oneself cannot be locked."""
    operating.lock_person(user_id=user_id, reason=reason, actor=actor)


def unlock_person(*, user_id: str, actor: Actor) -> None:
    """Lets a locked person sign in again."""
    operating.unlock_person(user_id=user_id, actor=actor)


def end_sessions(*, user_id: str, actor: Actor) -> None:
    """Ends every session of browsers and programs; personal tokens stay."""
    operating.end_sessions(user_id=user_id, actor=actor)


def remove_second_factors(*, user_id: str, actor: Actor) -> None:
    """For somebody who lost their phone; a mail tells them of it."""
    operating.remove_second_factors(user_id=user_id, actor=actor)


def send_password_reset(request: HttpRequest, *, user_id: str, actor: Actor) -> None:
    """Sends the mail by which a person sets a new password."""
    operating.send_password_reset(request, user_id=user_id, actor=actor)


def verify_address(*, user_id: str, actor: Actor) -> None:
    """Marks a person's address as theirs on the operator's word."""
    operating.verify_address(user_id=user_id, actor=actor)


def make_operator(*, user_id: str, actor: Actor) -> None:
    """Gives a person the installation's keys."""
    operating.make_operator(user_id=user_id, actor=actor)


def unmake_operator(*, user_id: str, actor: Actor) -> None:
    """Takes them back; never from the last operator, never from oneself."""
    operating.unmake_operator(user_id=user_id, actor=actor)
