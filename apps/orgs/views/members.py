"""Members and invitations of an organization, and the page an invitation leads to."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.forms import InvitationForm
from apps.orgs.models import Role
from apps.orgs.selectors import members as selectors
from apps.orgs.selectors.access import access_organization, link_of
from apps.orgs.services import invitations as invite_services
from apps.orgs.services import members as services
from apps.orgs.services.limits import limits_of
from apps.orgs.services.organizations import get_organization
from apps.orgs.views.pages import act, page, submit
from apps.orgs.views.words import ROLES
from apps.users import facade as users
from brokle.kernel.clock import utc_now
from brokle.web.actor import actor_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("members.read")
    form = InvitationForm(request.POST or None, initial={"role": Role.DEVELOPER}, may_own=standing.role == Role.OWNER)
    sent = None
    if request.method == "POST":
        standing.demand("members.manage")
        sent = submit(
            form,
            lambda data: invite_services.invite(
                standing=standing,
                language=get_language() or "en",
                link=link_of(request),
                actor=actor_of(request),
                **data,
            ),
        )
        if sent is not None:
            form = InvitationForm(initial={"role": Role.DEVELOPER}, may_own=standing.role == Role.OWNER)
    organization_id = standing.organization.id
    open_ones = selectors.invitations_of(organization_id).filter(accepted_at=None, revoked_at=None)
    context = {
        "form": form,
        "standing": standing,
        "members": selectors.members_of(organization_id).order_by("created_at"),
        "invitations": open_ones.order_by("-sent_at"),
        "roles": ROLES,
        "limit": limits_of(get_organization(organization_id)).members,
        "may_manage": standing.may("members.manage"),
        "now": utc_now(),
        "sent_to": sent.invitation.email if sent else "",
        "sent_url": sent.url if sent else "",
    }
    return page(request, "orgs/members.html", context, form)


@login_required
@require_POST
def change_role(request: HttpRequest, organization: str, member_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("members.manage")
    member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
    role = request.POST.get("role", "")
    if role not in ROLES:
        messages.error(request, _("Choose a role."))
        return HttpResponseRedirect(f"/{organization}/settings/members")
    return act(
        request,
        f"/{organization}/settings/members",
        lambda: services.change_role(standing=standing, membership=member, role=role, actor=actor_of(request)),
        _("The role is changed."),
    )


@login_required
@require_POST
def remove(request: HttpRequest, organization: str, member_id: str) -> HttpResponse:
    """Also how one leaves by oneself."""
    standing = access_organization(request, slug=organization)
    is_leaving = member_id == standing.membership_id
    if not is_leaving:
        standing.demand("members.manage")
    member = get_object_or_404(selectors.members_of(standing.organization.id), id=member_id)
    if request.POST.get("confirm", "").strip().lower() != member.user.email:
        messages.error(request, _("The address did not match; nothing was done."))
        return HttpResponseRedirect(f"/{organization}/settings/members")
    services_answer = act(
        request,
        f"/{organization}/settings/members",
        lambda: services.remove_member(standing=standing, membership=member, actor=actor_of(request)),
        _("You left the organization.") if is_leaving else _("The member is removed."),
    )
    still_there = selectors.members_of(standing.organization.id).filter(id=member_id).exists()
    return HttpResponseRedirect("/dashboard") if is_leaving and not still_there else services_answer


@login_required
@require_POST
def revoke_invitation(request: HttpRequest, organization: str, invitation_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("members.manage")
    found = get_object_or_404(selectors.invitations_of(standing.organization.id), id=invitation_id)
    return act(
        request,
        f"/{organization}/settings/members",
        lambda: invite_services.revoke(invitation=found, actor=actor_of(request)),
        _("The invitation is taken back."),
    )


@login_required
@require_POST
def resend_invitation(request: HttpRequest, organization: str, invitation_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("members.manage")
    found = get_object_or_404(selectors.invitations_of(standing.organization.id), id=invitation_id)
    return act(
        request,
        f"/{organization}/settings/members",
        lambda: invite_services.resend(invitation=found, link=link_of(request), actor=actor_of(request)),
        _("The invitation is sent again; the former mail no longer works."),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where the mail leads: to sign-in or sign-up for a visitor, to a yes for the one who is meant."""
    found = selectors.find_open_invitation(token, now=utc_now())
    if found is None:
        return _closed(request, token)
    context = {"invitation": found, "role": ROLES[found.role], "token": token}
    if not request.user.is_authenticated:
        users.invite_to_sign_up(request, email=found.email)
        context["has_account"] = users.find_user_id(email=found.email) is not None
        return page(request, "orgs/invitation.html", {**context, "state": "visitor"})
    if request.user.email != found.email:
        return page(request, "orgs/invitation.html", {**context, "state": "other"})
    if request.method == "POST":
        return act(
            request,
            f"/{found.organization.slug}/",
            lambda: invite_services.accept(
                token=token, user_id=str(request.user.pk), email=request.user.email, actor=actor_of(request)
            ),
            _("Welcome."),
        )
    return page(request, "orgs/invitation.html", {**context, "state": "meant"})


def _closed(request: HttpRequest, token: str) -> HttpResponse:
    found = selectors.find_invitation(token)
    state = "unknown"
    if found is not None:
        state = "used" if found.accepted_at else "revoked" if found.revoked_at else "expired"
    response = page(request, "orgs/invitation.html", {"state": state})
    response.status_code = 404 if found is None else 410
    return response
