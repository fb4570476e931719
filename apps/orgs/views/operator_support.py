"""Support access: the operator begins it, a line above every page says so, a button ends it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.orgs.forms import LimitsForm, SupportForm
from apps.orgs.models import SupportAccess
from apps.orgs.selectors import support as selectors
from apps.orgs.services import support as services
from apps.orgs.views import operator_organizations as organizations
from apps.orgs.views.pages import act, submit
from brokle.kernel.clock import utc_now
from brokle.kernel.extensions import Notice
from brokle.web.formatting import sentence
from brokle.web.operators import acting_operator, is_operator, operator_only


def find_notices(user: Any) -> list[Notice]:
    """Only operators are looked up."""
    if not is_operator(user):
        return []
    running = selectors.running_of(str(user.pk), now=utc_now()).order_by("id")
    return [Notice(_text(access), reverse("operator-support-end", args=[access.id]), _("End it")) for access in running]


def _text(access: SupportAccess) -> str:
    looks = gettext("You look into %(organization)s with support access until %(time)s UTC.")
    helps = gettext(
        "You work in %(organization)s with support access until %(time)s UTC. Its log shows what you change."
    )
    text = looks if access.level == "look" else helps
    return sentence(text, organization=access.organization.name, time=access.expires_at.strftime("%H:%M"))


@operator_only
@require_POST
def begin(request: HttpRequest, organization_id: str) -> HttpResponse:
    organization = organizations.find(organization_id)
    form = SupportForm(request.POST)
    begun = submit(
        form,
        lambda data: services.begin_support(
            organization_id=organization.id, user_id=str(request.user.pk), actor=acting_operator(request), **data
        ),
    )
    if begun is None:
        limits = LimitsForm(initial=vars(organization), plans=organizations.plan_choices(organization))
        return organizations.show(request, organization, limits, form)
    messages.success(request, _("You are in, for an hour. Its owners have been told."))
    return HttpResponseRedirect(f"/{organization.slug}/")


@operator_only
@require_POST
def end(request: HttpRequest, access_id: str) -> HttpResponse:
    """Anybody's: operators may call each other back."""
    access = get_object_or_404(SupportAccess.objects.across_organizations(), id=access_id)
    return act(
        request,
        reverse("operator-organization", args=[access.organization_id]),
        lambda: services.end_support(access=access, actor=acting_operator(request)),
        _("Support access has ended."),
    )
