"""Routes: what there is, the editor of one, what it would do with a call, and its versions."""

import re
from collections.abc import Sequence
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
from apps.routing.edge.route import USUAL_CAUSES, Considered
from apps.routing.forms import RouteForm, TargetForm, TargetForms
from apps.routing.models import Owner, Route, RouteVersion
from apps.routing.selectors.routes import definitions_of, difference, routes_of, versions_of
from apps.routing.services import routes as services
from apps.routing.services.definitions import read_definition
from apps.routing.services.explaining import explain_route
from apps.routing.views.pages import env_of, href_at
from apps.routing.views.words import CAPABILITIES, CAUSES, STRATEGIES, reason_of
from brokle.kernel.errors import Conflict
from brokle.web.actor import actor_of
from brokle.web.navigation import Line
from brokle.web.pages import act, page, submit
from brokle.web.snippets import route_command
from brokle.web.tables import Column, Table

_VERSIONS = 50
_COLUMNS = [
    Column("name", gettext_noop("Route name")),
    Column("strategy", gettext_noop("Order of the targets")),
    Column("targets", gettext_noop("Targets")),
    Column("version", gettext_noop("Version"), is_numeric=True),
]
_TRY_COLUMNS = [
    Column("place", gettext_noop("Turn")),
    Column("target", gettext_noop("Model")),
    Column("reason", gettext_noop("Why")),
]
_CAUSES = ("error", "rate_limit", "timeout", "context_window", "capability", "content_policy")
_TAG = re.compile(r"\s*([^=:,]{1,60})[=:]([^,]{1,200})")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    route: Route
    strategy: str
    targets: list[str]
    href: str


@never_cache
@require_safe
@login_required
def route_list(request: HttpRequest, organization: str) -> HttpResponse:
    standing, place = orgs.access_place(request, organization_slug=organization, permission="routes.read")
    rows = list(routes_of(place.organization.id, project_id=place.project_id).order_by("name"))
    definitions = definitions_of(place.organization.id, rows)
    context = {
        "entries": [_entry(place, route, definitions[route.id]) for route in rows],
        "table": Table(gettext_noop("Routes"), _COLUMNS),
        "may_manage": standing.may("routes.manage", place.project_id),
        "new": href_at(place, "route-new"),
        "command": route_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
    }
    return page(request, "routing/routes.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def route_new(request: HttpRequest, organization: str) -> HttpResponse:
    _standing, place = orgs.access_place(request, organization_slug=organization, permission="routes.manage")
    form, targets = _forms(request, "", {"fallback_on": list(USUAL_CAUSES)})
    if request.method == "POST" and targets.is_valid():
        made = submit(form, lambda said: _create(request, place, form, targets, said["name"]))
        if made is not None:
            messages.success(request, _("The route is made; calls can ask for it within a second."))
            return HttpResponseRedirect(href_at(place, "route", made.id))
    context = {"form": form, "targets": targets, "back": href_at(place, "routes"), **_crumbs(place, _("New route"))}
    return page(request, "routing/route-new.html", context, form, _Errors(targets))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def route_detail(request: HttpRequest, organization: str, route_id: str) -> HttpResponse:
    standing, place, route = _route_at(request, organization, route_id, "routes.read")
    current = services.current_of(route)
    form, targets = _forms(request, route.name, current)
    if request.method == "POST":
        standing.demand("routes.manage", place.project_id)
        saved = targets.is_valid() and submit(form, lambda said: _update(request, route, form, targets, current, said))
        if saved:
            messages.success(request, _("Saved; every process knows it within a second."))
            return HttpResponseRedirect(href_at(place, "route", route.id))
    may_ask = standing.may("playground.use", place.project_id)
    context = {
        **_crumbs(place, _("The route")),
        "route": route,
        "form": form,
        "targets": targets,
        "targets_now": current["targets"],
        "strategy": STRATEGIES.get(current.get("strategy", "fallback"), ""),
        "may_manage": standing.may("routes.manage", place.project_id) and route.owner == Owner.PEOPLE,
        "is_of_file": route.owner == Owner.FILE,
        "env": env_of(place),
        "organization": place.organization.slug,
        "requests_href": href_at(place, "requests", route=route.name),
        "playground_href": href_at(place, "playground", model=route.name) if may_ask else "",
        **_tried(request, place, route),
        **_history(request, route, current),
    }
    return page(request, "routing/route.html", context, form, _Errors(targets))


@never_cache
@require_POST
@login_required
def route_rollback(request: HttpRequest, organization: str, route_id: str) -> HttpResponse:
    _standing, place, route = _route_at(request, organization, route_id, "routes.manage")
    number = _number(request.POST.get("version", ""))
    return act(
        request,
        href_at(place, "route", route.id),
        lambda: services.roll_back(route=route, number=number, actor=actor_of(request)),
        _("What that version says holds again, as a new version."),
    )


@never_cache
@require_POST
@login_required
def route_remove(request: HttpRequest, organization: str, route_id: str) -> HttpResponse:
    """The name is asked again here: without JavaScript the button is never disabled."""
    _standing, place, route = _route_at(request, organization, route_id, "routes.manage")
    if request.POST.get("confirm", "").strip() != route.name:
        messages.error(request, _("That is not the name of this route; nothing was removed."))
        return HttpResponseRedirect(href_at(place, "route", route.id))
    return act(
        request,
        href_at(place, "routes"),
        lambda: services.remove_route(route=route, actor=actor_of(request)),
        _("The route is removed; within a second nobody can ask for it."),
    )


class _Errors:
    """Errors of rows count like those of the form."""

    def __init__(self, targets: Any) -> None:
        self.errors = targets.is_bound and not targets.is_valid()


def _route_at(
    request: HttpRequest, organization: str, route_id: str, permission: str
) -> tuple[Standing, EnvironmentRef, Route]:
    standing, place = orgs.access_place(request, organization_slug=organization, permission=permission)
    route = get_object_or_404(routes_of(place.organization.id, project_id=place.project_id), id=route_id)
    return standing, place, route


def _entry(place: EnvironmentRef, route: Route, definition: dict[str, Any]) -> Entry:
    strategy = STRATEGIES.get(definition.get("strategy", "fallback"), "")
    targets = [target["model"] for target in definition["targets"]]
    return Entry(route, strategy, targets, href_at(place, "route", route.id))


def _forms(request: HttpRequest, name: str, definition: dict[str, Any]) -> tuple[RouteForm, Any]:
    sent = request.POST if request.method == "POST" else None
    form = RouteForm(
        sent,
        initial=RouteForm.facts_of(name, definition),
        strategies=[(key, _(title)) for key, title in STRATEGIES.items()],
        causes=[(key, _(CAUSES[key])) for key in _CAUSES],
    )
    if sent is not None:
        # What was sent is the whole: a row like one that somebody else saved meanwhile is not "unchanged".
        return form, TargetForms(sent, prefix="target")
    rows = [TargetForm.facts_of(target) for target in definition.get("targets", [])]
    return form, TargetForms(initial=rows, prefix="target")


def _said(targets: Any) -> list[dict[str, Any]]:
    """Rows with a model; what is usual is left unsaid."""
    found = []
    for row in targets.cleaned_data:
        if row.get("model"):
            weight = row["weight"] if row["weight"] is not None else 1
            deadline = {"timeout_ms": row["timeout_ms"]} if row["timeout_ms"] is not None else {}
            found.append({"model": row["model"], "weight": weight, "when": row["when"], **deadline})
    return found


def _create(request: HttpRequest, place: EnvironmentRef, form: RouteForm, targets: Any, name: str) -> Route:
    return services.create_route(
        organization_id=place.organization.id,
        project_id=place.project_id,
        name=name,
        definition=read_definition(name, form.definition(_said(targets), {})),
        actor=actor_of(request),
    )


def _update(
    request: HttpRequest, route: Route, form: RouteForm, targets: Any, current: dict[str, Any], said: dict[str, Any]
) -> Route:
    definition = read_definition(said["name"], form.definition(_said(targets), current))
    return services.update_route(route=route, actor=actor_of(request), name=said["name"], definition=definition)


def _tried(request: HttpRequest, place: EnvironmentRef, route: Route) -> dict[str, Any]:
    """What the route would do with the call that the address describes."""
    asked = {name: request.GET.get(name, "").strip()[:_LONGEST] for name in ("user", "session", "tags", "input_tokens")}
    needs = [one for one in request.GET.getlist("needs") if one in CAPABILITIES]
    found: dict[str, Any] = {
        "asked": asked,
        "needs": [(key, _(title), key in needs) for key, title in CAPABILITIES.items()],
        "try_table": Table(gettext_noop("What it would do"), _TRY_COLUMNS),
    }
    if "try" not in request.GET:
        return found
    facts = {
        "user": asked["user"],
        "session": asked["session"],
        "tags": {name.strip(): value.strip() for name, value in _TAG.findall(asked["tags"])},
        "input_tokens": _number(asked["input_tokens"]),
        "needs": frozenset(needs),
    }
    try:
        considered = explain_route(route=route, environment_id=place.environment_id, facts=facts)
    except Conflict as error:
        return {**found, "try_refusal": error.detail}
    return {**found, "is_tried": True, "considered": _explained(considered)}


def _explained(considered: Sequence[Considered]) -> list[tuple[int, str, str, int]]:
    ordered = sorted(considered, key=lambda one: (one.place == 0, one.place))
    return [(one.place, one.target, reason_of(one.reason), one.timeout_ms) for one in ordered]


def _history(request: HttpRequest, route: Route, current: dict[str, Any]) -> dict[str, Any]:
    rows: list[RouteVersion] = list(
        versions_of(route.organization_id, route_id=route.id).order_by("-number")[:_VERSIONS]
    )
    number = _number(request.GET.get("version", ""))
    looked_at = next((row for row in rows if row.number == number), None)
    changes = difference(looked_at.definition, current) if looked_at else []
    return {"versions": rows, "looked_at": looked_at, "changes": changes}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _crumbs(place: EnvironmentRef, title: str) -> dict[str, Any]:
    return {"breadcrumb": [Line("routes", _("Routes"), href_at(place, "routes")), Line("route", title, "")]}
