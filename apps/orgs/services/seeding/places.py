"""Organizations with their projects, members and invitations, as they came to be."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from apps.orgs.models import Environment, Invitation, Membership, Organization, Project, ProjectMembership
from apps.orgs.services.invitations import LIFETIME
from apps.orgs.services.seeding.chronicle import Chronicle
from apps.orgs.services.seeding.people import Person
from brokle.kernel.tokens import new_token, token_hash

PRODUCTION: Final = ("production", "ok", True)
STAGING: Final = ("staging", "accent", False)
DEVELOPMENT: Final = ("development", "warn", False)
Kind = tuple[str, str, bool]


def make_organization(chronicle: Chronicle, at: datetime, *, name: str, slug: str, by: Person) -> Organization:
    row_id = chronicle.new_id("org", at)
    organization = Organization.objects.create(id=row_id, name=name, slug=slug, created_at=at)
    join(chronicle, at, organization, by, "owner")
    chronicle.tell(at, "organization.created", organization, by=by, after={"name": name, "slug": slug})
    return organization


def make_project(
    chronicle: Chronicle,
    at: datetime,
    organization: Organization,
    *,
    name: str,
    slug: str,
    by: Person,
    kinds: Sequence[Kind] = (PRODUCTION, DEVELOPMENT),
    is_first: bool = False,
) -> dict[str, Environment]:
    """Its environments by name. The first project comes with the organization and is not told of."""
    project = Project.objects.create(
        id=chronicle.new_id("prj", at), organization=organization, name=name, slug=slug, created_at=at
    )
    if not is_first:
        chronicle.tell(at, "project.created", project, by=by, after={"name": name, "slug": slug})
    return {kind[0]: _environment(chronicle, at, project, kind) for kind in kinds}


def add_environment(chronicle: Chronicle, at: datetime, project: Project, kind: Kind, *, by: Person) -> Environment:
    environment = _environment(chronicle, at, project, kind)
    name, color, is_live = kind
    after = {"name": name, "slug": name, "project": project.id, "color": color, "is_live": is_live}
    chronicle.tell(at, "environment.created", environment, by=by, after=after)
    return environment


def _environment(chronicle: Chronicle, at: datetime, project: Project, kind: Kind) -> Environment:
    name, color, is_live = kind
    return Environment.objects.create(
        id=chronicle.new_id("env", at),
        organization_id=project.organization_id,
        project=project,
        name=name,
        slug=name,
        color=color,
        is_live=is_live,
        created_at=at,
    )


def join(chronicle: Chronicle, at: datetime, organization: Organization, person: Person, role: str) -> Membership:
    return Membership.objects.create(
        id=chronicle.new_id("mem", at),
        organization=organization,
        user_id=person.user_id,
        role=role,
        created_at=at,
    )


def invite(
    chronicle: Chronicle,
    at: datetime,
    organization: Organization,
    *,
    email: str,
    role: str,
    by: Person,
    language: str = "en",
) -> Invitation:
    """Nobody gets a mail: its token is thrown away."""
    invitation = Invitation.objects.create(
        id=chronicle.new_id("inv", at),
        organization=organization,
        email=email,
        role=role,
        language=language,
        token_hash=token_hash(new_token()),
        invited_by=by.user_id,
        created_at=at,
        sent_at=at,
        expires_at=at + LIFETIME,
    )
    chronicle.tell(at, "invitation.sent", invitation, by=by, after={"email": email, "role": role})
    return invitation


def welcome(
    chronicle: Chronicle, at: datetime, organization: Organization, person: Person, *, role: str, by: Person
) -> Membership:
    """Invited, and there the next day."""
    sent = invite(chronicle, at, organization, email=person.email, role=role, by=by, language=person.language)
    joined_at = at + timedelta(hours=chronicle.chance.randrange(2, 26))
    sent.accepted_at, sent.accepted_by = joined_at, person.user_id
    sent.save(update_fields=["accepted_at", "accepted_by"])
    after = {"user_id": person.user_id, "role": role}
    chronicle.tell(joined_at, "member.joined", sent, by=person, after=after)
    return join(chronicle, joined_at, organization, person, role)


def take_back(chronicle: Chronicle, at: datetime, invitation: Invitation, *, by: Person) -> None:
    invitation.revoked_at = at
    invitation.save(update_fields=["revoked_at"])
    before = {"email": invitation.email, "role": invitation.role}
    chronicle.tell(at, "invitation.revoked", invitation, by=by, before=before)


def give_project_role(
    chronicle: Chronicle, at: datetime, membership: Membership, project: Project, role: str, *, by: Person
) -> None:
    ProjectMembership.objects.create(
        id=chronicle.new_id("pmm", at),
        organization_id=project.organization_id,
        project=project,
        membership=membership,
        role=role,
        created_at=at,
    )
    after = {"project": project.id, "role": role}
    chronicle.tell(at, "member.project_role_set", membership, by=by, after=after)
