"""Every organization of the installation, for its operator: find, suspend, bound."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.orgs.forms import LimitsForm, SupportForm
from apps.orgs.models import Organization
from apps.orgs.selectors import operator as selectors
from apps.orgs.selectors import support as support_selectors
from apps.orgs.selectors.access import PLAN_TITLES
from apps.orgs.selectors.members import members_of
from apps.orgs.services import suspension
from apps.orgs.services.limits import plan_names, set_limits
from apps.orgs.views.operator import asked_text, room
from apps.orgs.views.pages import act, submit
from apps.orgs.views.words import LEVELS, ROLES
from brokle.kernel.clock import utc_now
from brokle.web.operators import acting_operator, operator_only
from brokle.web.pagination import page_after
from brokle.web.tables import Column, Table

_PAGE, _ACCESSES = 50, 10
_TAB = "operator-organizations"
_STATES = (
    ("", gettext_noop("In every state")),
    ("open", gettext_noop("In service")),
    ("suspended", gettext_noop("Suspended")),
    ("closing", gettext_noop("Being deleted")),
)
_COLUMNS = [
    Column("name", gettext_noop("Name")),
    Column("slug", gettext_noop("Address")),
    Column("plan", gettext_noop("Plan")),
    Column("members", gettext_noop("Members"), is_numeric=True),
    Column("projects", gettext_noop("Projects"), is_numeric=True),
    Column("state", gettext_noop("State")),
    Column("created", gettext_noop("Created")),
]
_MEMBERS = [
    Column("name", gettext_noop("Name")),
    Column("email", gettext_noop("E-mail")),
    Column("role", gettext_noop("Role")),
    Column("joined", gettext_noop("Member since")),
]


def find(organization_id: str) -> Organization:
    return get_object_or_404(selectors.organizations_of_all(), id=organization_id)


def address_of(organization: Organization) -> str:
    return reverse("operator-organization", args=[organization.id])


@operator_only
@require_safe
def organization_list(request: HttpRequest) -> HttpResponse:
    text, state = asked_text(request), request.GET.get("state", "")
    rows = selectors.in_state(selectors.matching(selectors.organizations_of_all(), text), state)
    found = page_after(rows, request.GET.get("cursor", ""), _PAGE)
    for organization in found.rows:
        _name_plan(organization)
    context = {
        "rows": found.rows,
        "table": Table(gettext_noop("Organizations"), _COLUMNS, next_cursor=found.next_cursor),
        "q": text,
        "state": state,
        "states": _STATES,
    }
    return room(request, "orgs/operator/organizations.html", _TAB, context)


@operator_only
@require_http_methods(["GET", "HEAD", "POST"])
def organization_detail(request: HttpRequest, organization_id: str) -> HttpResponse:
    """POST sets plan and limits."""
    organization = find(organization_id)
    form = LimitsForm(request.POST or None, initial=vars(organization), plans=plan_choices(organization))
    if request.method == "POST":
        changed = submit(
            form,
            lambda data: set_limits(organization_id=organization.id, actor=acting_operator(request), **data),
        )
        if changed is not None:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(address_of(organization))
    return show(request, organization, form, SupportForm())


def show(request: HttpRequest, organization: Organization, limits: Any, support: Any) -> HttpResponse:
    """The page of an organization, with what was wrong in one of its forms."""
    members = page_after(members_of(organization.id), request.GET.get("cursor", ""), _PAGE)
    accesses = list(_accesses(organization))
    now = utc_now()
    running = support_selectors.running_of(str(request.user.pk), now=now).filter(organization_id=organization.id)
    _name_plan(organization)
    context = {
        "organization": organization,
        "limits": limits,
        "support": support,
        "running": running.first(),
        "accesses": accesses,
        "levels": LEVELS,
        "now": now,
        "is_member": members_of(organization.id).filter(user_id=request.user.pk).exists(),
        "members": members.rows,
        "members_table": Table(gettext_noop("Members"), _MEMBERS, next_cursor=members.next_cursor),
        "roles": ROLES,
    }
    return room(request, "orgs/operator/organization.html", _TAB, context, limits, support, title=organization.name)


@operator_only
@require_POST
def suspend(request: HttpRequest, organization_id: str) -> HttpResponse:
    organization = find(organization_id)
    if request.POST.get("confirm", "").strip() != organization.slug:
        messages.error(request, _("The address did not match; nothing was done."))
        return HttpResponseRedirect(address_of(organization))
    return act(
        request,
        address_of(organization),
        lambda: suspension.suspend_organization(
            organization_id=organization.id,
            reason=request.POST.get("reason", ""),
            actor=acting_operator(request),
        ),
        _("The organization is suspended; its keys have stopped."),
    )


@operator_only
@require_POST
def resume(request: HttpRequest, organization_id: str) -> HttpResponse:
    organization = find(organization_id)
    return act(
        request,
        address_of(organization),
        lambda: suspension.resume_organization(organization_id=organization.id, actor=acting_operator(request)),
        _("The organization is open again, and its keys work."),
    )


def _accesses(organization: Organization) -> QuerySet[Any]:
    return support_selectors.accesses_to(organization.id).order_by("-id")[:_ACCESSES]


def _name_plan(organization: Any) -> None:
    organization.plan_title = PLAN_TITLES.get(organization.plan, organization.plan)


def plan_choices(organization: Organization) -> list[tuple[str, str]]:
    """Its own too, should the settings no longer know it."""
    names = dict.fromkeys([*plan_names(), organization.plan])
    return [(name, _(PLAN_TITLES[name]) if name in PLAN_TITLES else name) for name in names]
