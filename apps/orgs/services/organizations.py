"""An organization's life: born whole, renamed, handed over, deleted with a grace in which it can come back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import ApiKey, Environment, Membership, Organization, Project, Role
from apps.orgs.services.records import record
from apps.orgs.services.slugs import check_slug
from brokle.ground.services import SYSTEM, Actor, audit, touch_snapshot
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, Invalid, NotFound
from brokle.kernel.extensions import organization_purges

GRACE: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class NewOrganization:
    organization: Organization
    project: Project
    production: Environment
    development: Environment


@transaction.atomic
def create_organization(
    *, name: str, slug: str, owner_id: str | None, actor: Actor, project: str = "default"
) -> NewOrganization:
    """An organization is born whole: with a project, two environments and its owner."""
    organization = Organization.objects.create(name=name, slug=slug)
    first = Project.objects.create(organization=organization, name=project, slug="default")
    production = Environment.objects.create(
        organization=organization, project=first, name="production", slug="production", is_live=True
    )
    development = Environment.objects.create(
        organization=organization, project=first, name="development", slug="development", color="warn"
    )
    if owner_id is not None:
        Membership.objects.create(organization=organization, user_id=owner_id, role=Role.OWNER)
    audit(
        organization_id=organization.id,
        actor=actor,
        action="organization.created",
        target_kind="organization",
        target_id=organization.id,
        after={"name": name, "slug": slug},
    )
    return NewOrganization(organization, first, production, development)


def lock(organization_id: str) -> Organization:
    """Whoever counts or moves owners and members does it one at a time."""
    found = Organization.objects.select_for_update().filter(id=organization_id).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def update_organization(*, organization_id: str, actor: Actor, name: str = "", slug: str = "") -> Organization:
    organization = lock(organization_id)
    before = {"name": organization.name, "slug": organization.slug}
    if slug and slug != organization.slug:
        check_slug(slug, besides=organization.id)
    organization.name, organization.slug = name or organization.name, slug or organization.slug
    after = {"name": organization.name, "slug": organization.slug}
    if after == before:
        return organization
    organization.save(update_fields=["name", "slug"])
    record(organization, actor, "organization.updated", before=before, after=after)
    return organization


@transaction.atomic
def transfer_organization(*, organization_id: str, to_user_id: str, from_user_id: str, actor: Actor) -> None:
    """The new owner must be a member already; the former one stays as administrator."""
    organization = lock(organization_id)
    members = Membership.objects.of(organization_id)
    heir = members.filter(user_id=to_user_id).first()
    if heir is None:
        raise Invalid(_("Only a member can become the owner; invite them first."), field="user_id")
    if to_user_id == from_user_id:
        raise Conflict(_("You are the owner already."))
    former = members.get(user_id=from_user_id)
    heir.role, former.role = Role.OWNER, Role.ADMIN
    heir.save(update_fields=["role"])
    former.save(update_fields=["role"])
    record(
        organization,
        actor,
        "organization.transferred",
        before={"owner": from_user_id},
        after={"owner": to_user_id},
    )


@transaction.atomic
def request_deletion(*, organization_id: str, actor: Actor, clock: Clock = utc_now) -> Organization:
    """Its keys stop at once; its data goes when the grace is over."""
    organization = lock(organization_id)
    if organization.purge_at is not None:
        raise Conflict(_("This organization is being deleted already."))
    organization.purge_at = clock() + GRACE
    organization.save(update_fields=["purge_at"])
    touch_keys(organization_id)
    record(
        organization, actor, "organization.deletion_requested", after={"purge_at": organization.purge_at.isoformat()}
    )
    return organization


@transaction.atomic
def restore_organization(*, organization_id: str, actor: Actor) -> Organization:
    organization = lock(organization_id)
    if organization.purge_at is None:
        raise Conflict(_("This organization is not being deleted."))
    before = {"purge_at": organization.purge_at.isoformat()}
    organization.purge_at = None
    organization.save(update_fields=["purge_at"])
    touch_keys(organization_id)
    record(organization, actor, "organization.restored", before=before)
    return organization


def get_organization(organization_id: str) -> Organization:
    return Organization.objects.get(id=organization_id)


def get_closing(organization_id: str) -> Organization:
    """One that is being deleted."""
    found = Organization.objects.filter(id=organization_id, purge_at__isnull=False).first()
    if found is None:
        raise NotFound
    return found


def purge_due(*, clock: Clock = utc_now) -> int:
    due = Organization.objects.filter(purge_at__lte=clock()).values_list("id", flat=True)
    return sum(_purge(organization_id, clock()) for organization_id in list(due))


@transaction.atomic
def _purge(organization_id: str, now: datetime) -> int:
    """What other rooms hold goes first; each part may run again, so a crash in between only delays the rest."""
    organization = Organization.objects.select_for_update().filter(id=organization_id).first()
    if organization is None or not organization.is_due_for_purge(now):
        return 0
    for part in organization_purges.collect():
        part.run(organization_id)
    name, slug = organization.name, organization.slug
    organization.delete()
    audit(
        organization_id="",
        actor=SYSTEM,
        action="organization.purged",
        target_kind="organization",
        target_id=organization_id,
        before={"name": name, "slug": slug},
    )
    return 1


def touch_keys(organization_id: str, *, project_id: str = "", environment_id: str = "") -> None:
    """The edge looks at these keys again, before anything else that waits."""
    keys = ApiKey.objects.of(organization_id).filter(revoked_at__isnull=True)
    if project_id:
        keys = keys.filter(project_id=project_id)
    if environment_id:
        keys = keys.filter(environment_id=environment_id)
    for key_hash in keys.values_list("hash", flat=True):
        touch_snapshot(kind="key", object_id=key_hash, urgent=True)
