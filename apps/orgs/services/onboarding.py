"""The first visit: an owner, an organization that bears their name for it, and a first key."""

from dataclasses import dataclass

from django.db import connection, transaction

from apps.orgs.contracts import IssuedKey
from apps.orgs.models import Organization
from apps.orgs.services.keys import issue_key
from apps.orgs.services.organizations import NewOrganization, create_organization
from apps.orgs.services.slugs import check_slug, free_slug
from apps.users import facade as users
from brokle.edge.principal import SCOPES
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict

_ONBOARDING_LOCK = 0x4F4E4244


@dataclass(frozen=True, slots=True)
class Onboarded:
    user_id: str
    organization: Organization
    key: IssuedKey


@transaction.atomic
def onboard(*, name: str, email: str, password: str, organization: str, language: str, actor: Actor) -> Onboarded:
    """Once per installation; of two who try at the same moment one is told that it is done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONBOARDING_LOCK])
    if users.any_user_exists():
        raise Conflict("This installation already has an owner; sign in instead")
    user_id = users.create_owner(email=email, password=password, name=name, language=language, is_operator=True)
    person = Actor("user", user_id, actor.ip, actor.user_agent, actor.request_id)
    new = create_organization(name=organization, slug=free_slug(organization), owner_id=user_id, actor=person)
    key = issue_key(environment=new.production, name="first key", scopes=SCOPES, actor=person)
    return Onboarded(user_id, new.organization, key)


@transaction.atomic
def begin(*, user_id: str, organization: str, project: str, actor: Actor) -> Onboarded:
    """Somebody who has an account already: an organization of their own, and its first key."""
    new = found_organization(user_id=user_id, name=organization, project=project or "default", actor=actor)
    key = issue_key(environment=new.production, name="first key", scopes=SCOPES, actor=actor)
    return Onboarded(user_id, new.organization, key)


@transaction.atomic
def found_organization(
    *, user_id: str, name: str, actor: Actor, slug: str = "", project: str = "default"
) -> NewOrganization:
    """Somebody who has an account already begins an organization of their own."""
    if slug:
        check_slug(slug)
    return create_organization(name=name, slug=slug or free_slug(name), owner_id=user_id, actor=actor, project=project)
