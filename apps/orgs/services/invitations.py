"""Invitations by e-mail: sent, sent again, taken back, accepted by exactly the person they were meant for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.contracts import Standing
from apps.orgs.models import Invitation, Membership, Role
from apps.orgs.services.limits import demand_room_for_member
from apps.orgs.services.organizations import lock
from apps.orgs.services.records import record
from apps.users import facade as users
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError, Conflict, Forbidden, NotFound, RateLimited
from brokle.kernel.tokens import new_token, token_hash
from brokle.web.mail import send_mail

LIFETIME: Final = timedelta(days=7)
_PAUSE_S: Final = 60


Link = Callable[[str], str]


class InvitationClosed(BrokleError):
    code, status, title = "invitation_closed", 410, "This invitation can no longer be used"


class WrongPerson(BrokleError):
    code, status, title = "invitation_for_another", 403, "This invitation is for somebody else"


@dataclass(frozen=True, slots=True)
class Sent:
    """The only moment the address is seen whole: in the mail, and by whoever invites."""

    invitation: Invitation
    url: str


@transaction.atomic
def invite(
    *, standing: Standing, email: str, role: str, language: str, link: Link, actor: Actor, clock: Clock = utc_now
) -> Sent:
    """`link` makes the address of a token."""
    organization = lock(standing.organization.id)
    if role == Role.OWNER and standing.role != Role.OWNER:
        raise Forbidden(_("Only an owner can invite another owner."))
    email = users.check_address(email=email)
    if Membership.objects.of(organization.id).filter(user__email=email).exists():
        raise Conflict(_("This person is a member already."), field="email")
    if Invitation.objects.of(organization.id).filter(email=email, accepted_at=None, revoked_at=None).exists():
        raise Conflict(_("This person is invited already; send the invitation again instead."), field="email")
    demand_room_for_member(organization, invited=True, clock=clock)
    token, now = new_token(), clock()
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        language=language,
        token_hash=token_hash(token),
        invited_by=actor.id,
        sent_at=now,
        expires_at=now + LIFETIME,
    )
    record(invitation, actor, "invitation.sent", after={"email": email, "role": role})
    return _send(invitation, link(token))


@transaction.atomic
def resend(*, invitation: Invitation, link: Link, actor: Actor, clock: Clock = utc_now) -> Sent:
    """A new token and a new week; the former mail no longer works."""
    invitation = Invitation.objects.of(invitation.organization_id).select_for_update().get(id=invitation.id)
    if invitation.accepted_at or invitation.revoked_at:
        raise InvitationClosed(_("This invitation was accepted or taken back."))
    now = clock()
    waited_s = (now - invitation.sent_at).total_seconds()
    if waited_s < _PAUSE_S:
        raise RateLimited(_("It was sent just now; wait a minute."), retry_after_s=_PAUSE_S - waited_s)
    token = new_token()
    invitation.token_hash, invitation.sent_at, invitation.expires_at = token_hash(token), now, now + LIFETIME
    invitation.save(update_fields=["token_hash", "sent_at", "expires_at"])
    record(invitation, actor, "invitation.sent_again", after={"email": invitation.email})
    return _send(invitation, link(token))


@transaction.atomic
def revoke(*, invitation: Invitation, actor: Actor, clock: Clock = utc_now) -> None:
    invitation = Invitation.objects.of(invitation.organization_id).select_for_update().get(id=invitation.id)
    if invitation.accepted_at:
        raise InvitationClosed(_("This invitation was accepted; remove the member instead."))
    if invitation.revoked_at:
        return
    invitation.revoked_at = clock()
    invitation.save(update_fields=["revoked_at"])
    record(invitation, actor, "invitation.revoked", before={"email": invitation.email, "role": invitation.role})


@transaction.atomic
def accept(*, token: str, user_id: str, email: str, actor: Actor, clock: Clock = utc_now) -> Membership:
    """Says exactly why not: unknown, taken back, used, too late, or for another address."""
    rows = Invitation.objects.across_organizations().select_for_update(of=("self",)).select_related("organization")
    invitation = rows.filter(token_hash=token_hash(token)).first()
    if invitation is None:
        raise NotFound(_("There is no such invitation."))
    if not invitation.organization.is_open or invitation.revoked_at:
        raise InvitationClosed(_("This invitation was taken back."))
    if invitation.accepted_at:
        raise InvitationClosed(_("This invitation was used already."))
    if invitation.expires_at <= clock():
        raise InvitationClosed(_("This invitation has expired; ask for a new one."))
    if email.lower() != invitation.email:
        raise WrongPerson(_("This invitation is for another e-mail address; sign in with that one."))
    organization = lock(invitation.organization_id)
    if Membership.objects.of(organization.id).filter(user_id=user_id).exists():
        raise Conflict(_("You are a member already."))
    demand_room_for_member(organization, invited=False)
    membership = Membership.objects.create(organization=organization, user_id=user_id, role=invitation.role)
    invitation.accepted_at, invitation.accepted_by = clock(), user_id
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    record(invitation, actor, "member.joined", after={"user_id": user_id, "role": invitation.role})
    return membership


def _send(invitation: Invitation, url: str) -> Sent:
    context = {"url": url, "organization": invitation.organization.name, "expires_at": invitation.expires_at}
    send_mail("invitation", to=invitation.email, language=invitation.language, context=context)
    return Sent(invitation, url)
