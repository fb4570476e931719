"""Who is in an organization and by which role. There is always an owner left."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.contracts import Standing
from apps.orgs.models import Membership, Project, ProjectMembership, Role
from apps.orgs.services.organizations import lock
from apps.orgs.services.records import record
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict, Forbidden
from brokle.web.live.publish import recheck_sockets


@transaction.atomic
def change_role(*, standing: Standing, membership: Membership, role: str, actor: Actor) -> Membership:
    """Only owners make owners and unmake them; the last one stays."""
    lock(standing.organization.id)
    membership = Membership.objects.of(standing.organization.id).get(id=membership.id)
    if membership.role == role:
        return membership
    _guard_owners(standing, membership.role, role)
    if membership.role == Role.OWNER:
        _demand_another_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    _record(membership, actor, "member.role_changed", before={"role": before}, after={"role": role})
    return membership


@transaction.atomic
def remove_member(*, standing: Standing, membership: Membership, actor: Actor) -> None:
    """Also how one leaves by oneself."""
    lock(standing.organization.id)
    if membership.user_id != standing.user_id:
        _guard_owners(standing, membership.role, membership.role)
    if membership.role == Role.OWNER:
        _demand_another_owner(membership)
    action = "member.left" if membership.user_id == standing.user_id else "member.removed"
    _record(membership, actor, action, before={"role": membership.role})
    membership.delete()


@transaction.atomic
def set_project_role(*, membership: Membership, project: Project, role: str, actor: Actor) -> ProjectMembership:
    held, created = ProjectMembership.objects.of(project.organization_id).get_or_create(
        project=project,
        membership=membership,
        defaults={"organization_id": project.organization_id, "role": role},
    )
    if not created and held.role == role:
        return held
    before = None if created else {"project": project.id, "role": held.role}
    held.role = role
    held.save(update_fields=["role"])
    after = {"project": project.id, "role": role}
    _record(membership, actor, "member.project_role_set", before=before, after=after)
    return held


@transaction.atomic
def remove_project_role(*, held: ProjectMembership, actor: Actor) -> None:
    before = {"project": held.project_id, "role": held.role}
    _record(held.membership, actor, "member.project_role_removed", before=before)
    held.delete()


def hold_owned(user_id: str) -> None:
    """For `account_deletion_checks`: while one owner goes, no other one leaves."""
    owned = Membership.objects.across_organizations().filter(user_id=user_id, role=Role.OWNER)
    for organization_id in sorted(owned.values_list("organization_id", flat=True)):
        lock(organization_id)


def is_last_owner(membership: Membership) -> bool:
    owners = Membership.objects.of(membership.organization_id).filter(role=Role.OWNER)
    return membership.role == Role.OWNER and not owners.exclude(id=membership.id).exists()


def _demand_another_owner(membership: Membership) -> None:
    if is_last_owner(membership):
        raise Conflict(_("An organization needs an owner; make somebody else an owner first."))


def _guard_owners(standing: Standing, *roles: str) -> None:
    if Role.OWNER in roles and standing.role != Role.OWNER:
        raise Forbidden(_("Only an owner can make owners, change their role or remove them."))


def _record(membership: Membership, actor: Actor, action: str, **facts: dict[str, str] | None) -> None:
    """What they may hear live changes with what they may."""
    record(membership, actor, action, **facts)
    recheck_sockets(user_id=membership.user_id)
