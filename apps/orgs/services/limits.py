"""How many people and projects an organization may have: the operator's word, else the plan's."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import Invitation, Membership, Organization, Project
from apps.orgs.selectors.access import PLAN_TITLES
from apps.orgs.services.organizations import lock
from apps.orgs.services.records import record
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError, Invalid


class LimitReached(BrokleError):
    code, status, title = "limit_reached", 409, "The plan's limit is reached"


@dataclass(frozen=True, slots=True)
class Limits:
    """None is unlimited."""

    members: int | None
    projects: int | None


def limits_of(organization: Organization) -> Limits:
    plan = settings.PLAN_LIMITS.get(organization.plan, {})
    members = organization.members_limit
    projects = organization.projects_limit
    return Limits(
        plan.get("members") if members is None else members,
        plan.get("projects") if projects is None else projects,
    )


def demand_room_for_member(organization: Organization, *, invited: bool, clock: Clock = utc_now) -> None:
    """An open invitation holds a place, so that everybody invited can come."""
    limit = limits_of(organization).members
    if limit is None:
        return
    held = Membership.objects.of(organization.id).count()
    if invited:
        waiting = Invitation.objects.of(organization.id).filter(accepted_at=None, revoked_at=None)
        held += waiting.filter(expires_at__gt=clock()).count()
    if held >= limit:
        raise LimitReached(_("Your plan includes %(limit)d members.") % {"limit": limit})


def demand_room_for_project(organization: Organization) -> None:
    limit = limits_of(organization).projects
    if limit is not None and Project.objects.of(organization.id).count() >= limit:
        raise LimitReached(_("Your plan includes %(limit)d projects.") % {"limit": limit})


def plan_names() -> list[str]:
    """Those that Brokle knows by name, and those that the settings bound."""
    return list(dict.fromkeys([*PLAN_TITLES, *settings.PLAN_LIMITS]))


@transaction.atomic
def set_limits(
    *, organization_id: str, plan: str, members_limit: int | None, projects_limit: int | None, actor: Actor
) -> Organization:
    """The operator's word. None leaves a limit to the plan; what is above a new limit stays, and nothing is added."""
    organization = lock(organization_id)
    if plan not in {*plan_names(), organization.plan}:
        raise Invalid(_("There is no such plan."), field="plan")
    before = _chosen(organization)
    organization.plan, organization.members_limit, organization.projects_limit = plan, members_limit, projects_limit
    after = _chosen(organization)
    if after != before:
        organization.save(update_fields=["plan", "members_limit", "projects_limit"])
        record(organization, actor, "organization.limits_changed", before=before, after=after)
    return organization


def _chosen(organization: Organization) -> dict[str, str | int | None]:
    return {
        "plan": organization.plan,
        "members_limit": organization.members_limit,
        "projects_limit": organization.projects_limit,
    }
