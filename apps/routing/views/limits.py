"""Limits of the gateway: how much may be used, of what, by whom, and how far budgets are used up."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.orgs import facade as orgs
from apps.orgs.contracts import EnvironmentRef, Standing
from apps.routing.forms import LimitForm
from apps.routing.models import Owner, UsageLimit
from apps.routing.selectors.limits import burns_of, limits_at
from apps.routing.services.limits import create_limit, remove_limit, update_limit
from apps.routing.views.pages import href_at
from apps.routing.views.words import MEASURES, SUBJECTS, WINDOWS
from brokle.engines.burn import Burn
from brokle.kernel.clock import utc_now
from brokle.kernel.money import Money
from brokle.web.actor import actor_of
from brokle.web.formatting import money_text, number_text
from brokle.web.navigation import Line
from brokle.web.pages import act, page, submit
from brokle.web.snippets import limit_command
from brokle.web.tables import Column, Table

_COLUMNS = [
    Column("name", gettext_noop("Name")),
    Column("subject", gettext_noop("Counted together")),
    Column("amount", gettext_noop("At most"), is_numeric=True),
    Column("window", gettext_noop("Period")),
    Column("spent", gettext_noop("Spent")),
]


@dataclass(frozen=True, slots=True)
class Entry:
    limit: UsageLimit
    subject: str
    amount: str
    measured: str
    window: str
    burn: Burn | None
    href: str


@never_cache
@require_safe
@login_required
def limit_list(request: HttpRequest, organization: str) -> HttpResponse:
    standing, place = orgs.access_place(request, organization_slug=organization, permission="limits.read")
    rows = list(limits_at(place.organization.id, project_id=place.project_id).order_by("name"))
    burns = burns_of(rows, project_id=place.project_id, now=utc_now())
    context = {
        "entries": [_entry(place, limit, burns.get(limit.id)) for limit in rows],
        "table": Table(gettext_noop("Limits"), _COLUMNS),
        "may_manage": standing.may("limits.manage", place.project_id),
        "new": href_at(place, "limit-new"),
        "command": limit_command(request.build_absolute_uri("/"), "$BROKLE_TOKEN", place.environment_id),
    }
    return page(request, "routing/limits.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limit_new(request: HttpRequest, organization: str) -> HttpResponse:
    standing, place = orgs.access_place(request, organization_slug=organization, permission="limits.manage")
    form = LimitForm(request.POST or None, choices=_choices(), initial={"measured": "usd", "window": "month"})
    if not standing.may("limits.manage"):
        del form.fields["for_all_projects"]
    if request.method == "POST" and submit(form, lambda said: _create(request, place, said)):
        messages.success(request, _("The limit is set; every process knows it within a second."))
        return HttpResponseRedirect(href_at(place, "limits"))
    context = {"form": form, "back": href_at(place, "limits"), **_crumbs(place, _("New limit"))}
    return page(request, "routing/limit-new.html", context, form)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limit_detail(request: HttpRequest, organization: str, limit_id: str) -> HttpResponse:
    standing, place, limit = _limit_at(request, organization, limit_id, "limits.read")
    form = LimitForm(request.POST or None, choices=_choices("window"), known=limit, initial=LimitForm.facts_of(limit))
    burn = burns_of([limit], project_id=place.project_id, now=utc_now()).get(limit.id)
    entry = _entry(place, limit, burn)
    if request.method == "POST":
        _demand(standing, place, limit)
        if submit(form, lambda said: update_limit(limit=limit, actor=actor_of(request), **said)):
            messages.success(request, _("Saved; every process knows it within a second."))
            return HttpResponseRedirect(href_at(place, "limit", limit.id))
    context = {
        "form": form,
        "entry": entry,
        "may_manage": _may(standing, place, limit) and limit.owner == Owner.PEOPLE,
        "is_of_file": limit.owner == Owner.FILE,
        "remove": href_at(place, "limit-remove", limit.id),
        **_crumbs(place, _("The limit")),
    }
    return page(request, "routing/limit.html", context, form)


@never_cache
@require_POST
@login_required
def limit_remove(request: HttpRequest, organization: str, limit_id: str) -> HttpResponse:
    standing, place, limit = _limit_at(request, organization, limit_id, "limits.manage")
    _demand(standing, place, limit)
    return act(
        request,
        href_at(place, "limits"),
        lambda: remove_limit(limit=limit, actor=actor_of(request)),
        _("The limit is taken away; within a second nobody is refused by it."),
    )


def _limit_at(
    request: HttpRequest, organization: str, limit_id: str, permission: str
) -> tuple[Standing, EnvironmentRef, UsageLimit]:
    standing, place = orgs.access_place(request, organization_slug=organization, permission=permission)
    limit = get_object_or_404(limits_at(place.organization.id, project_id=place.project_id), id=limit_id)
    return standing, place, limit


def _may(standing: Standing, place: EnvironmentRef, limit: UsageLimit) -> bool:
    """What all projects share is changed by whoever may do so in all of them."""
    return standing.may("limits.manage", place.project_id if limit.project_id else "")


def _demand(standing: Standing, place: EnvironmentRef, limit: UsageLimit) -> None:
    standing.demand("limits.manage", place.project_id if limit.project_id else "")


def _create(request: HttpRequest, place: EnvironmentRef, said: dict[str, Any]) -> UsageLimit:
    is_for_all = said.pop("for_all_projects", False)
    return create_limit(
        organization_id=place.organization.id,
        project_id=None if is_for_all else place.project_id,
        actor=actor_of(request),
        **said,
    )


def _entry(place: EnvironmentRef, limit: UsageLimit, burn: Burn | None) -> Entry:
    amount = money_text(Money(limit.amount)) if limit.measured == "usd" else number_text(limit.amount)
    return Entry(
        limit,
        SUBJECTS.get(limit.subject, ""),
        amount,
        MEASURES.get(limit.measured, ""),
        WINDOWS.get(limit.window, ""),
        burn,
        href_at(place, "limit", limit.id),
    )


def _choices(*names: str) -> dict[str, list[tuple[str, str]]]:
    windows = [("", _("No time")), *((key, _(title)) for key, title in WINDOWS.items())]
    found = {
        "subject": [(key, _(title)) for key, title in SUBJECTS.items()],
        "measured": [(key, _(title)) for key, title in MEASURES.items()],
        "window": windows,
    }
    return {name: found[name] for name in names or found}


def _crumbs(place: EnvironmentRef, here: str) -> dict[str, Any]:
    return {"breadcrumb": [Line("limits", _("Limits"), href_at(place, "limits")), Line("here", here, "")]}
