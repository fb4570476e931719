"""An organization's general settings: name, address, hand-over, deletion."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.forms import GeneralForm
from apps.orgs.selectors.access import access_organization, refusal
from apps.orgs.selectors.members import members_of
from apps.orgs.selectors.organizations import find_standing_in_grace
from apps.orgs.services import organizations as services
from apps.orgs.views.pages import act, page, submit
from brokle.web.actor import actor_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def general(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("organization.read")
    place = standing.organization
    form = GeneralForm(request.POST or None, initial={"name": place.name, "slug": place.slug})
    if request.method == "POST":
        standing.demand("organization.update")
        changed = submit(
            form,
            lambda data: services.update_organization(organization_id=place.id, actor=actor_of(request), **data),
        )
        if changed is not None:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(f"/{changed.slug}/settings")
    heirs = members_of(place.id).exclude(user_id=standing.user_id) if standing.may("organization.transfer") else ()
    context = {"form": form, "standing": standing, "heirs": heirs}
    context["may_update"] = standing.may("organization.update")
    context["may_delete"] = standing.may("organization.delete")
    return page(request, "orgs/general.html", context, form)


@login_required
@require_POST
def transfer(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("organization.transfer")
    return act(
        request,
        f"/{organization}/settings",
        lambda: services.transfer_organization(
            organization_id=standing.organization.id,
            to_user_id=_printable(request.POST.get("user_id", "")[:40]),
            from_user_id=standing.user_id,
            actor=actor_of(request),
        ),
        _("The organization has a new owner; you are an administrator now."),
    )


def _printable(text: str) -> str:
    """No id holds anything else, and PostgreSQL takes no NUL."""
    return text if text.isprintable() else ""


@login_required
@require_POST
def delete(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    standing.demand("organization.delete")
    if request.POST.get("confirm", "").strip() != standing.organization.name:
        messages.error(request, _("The name did not match; nothing was deleted."))
        return HttpResponseRedirect(f"/{organization}/settings")
    services.request_deletion(organization_id=standing.organization.id, actor=actor_of(request))
    return HttpResponseRedirect(f"/organizations/{standing.organization.id}/closing")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest, organization_id: str) -> HttpResponse:
    """Within the grace an owner may call it off."""
    standing = find_standing_in_grace(user_id=str(request.user.pk), organization_id=organization_id)
    if standing is None:
        raise refusal(request, organization_id=organization_id)
    standing.demand("organization.delete")
    if request.method == "POST":
        restored = services.restore_organization(organization_id=organization_id, actor=actor_of(request))
        messages.success(request, _("The organization is back, and its keys work again."))
        return HttpResponseRedirect(f"/{restored.slug}/settings")
    return page(request, "orgs/closing.html", {"organization": services.get_closing(organization_id)})
