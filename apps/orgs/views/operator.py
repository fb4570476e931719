"""The frame of the operator's room, its way in, and its log."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from apps.orgs.selectors import audit as selectors
from apps.orgs.views.audit import entries_page
from apps.orgs.views.pages import page
from brokle.web.operators import operator_only

_TABS = (
    ("operator-organizations", gettext_noop("Organizations")),
    ("operator-people", gettext_noop("People")),
    ("operator-log", gettext_noop("Log")),
    ("debug-processor", gettext_noop("Debug")),
)
_KINDS = (
    ("account", gettext_noop("Accounts")),
    ("token", gettext_noop("Personal tokens")),
    ("organization", gettext_noop("Organizations")),
    ("support_access", gettext_noop("Support access")),
)
_TEXT_LONGEST = 120


def room(
    request: HttpRequest, template: str, tab: str, context: dict[str, Any], *forms: Any, title: str = ""
) -> HttpResponse:
    """A page of the operator's room; `title` is what it shows, below one of the tabs."""
    tabs = [{"title": _(name), "href": reverse(url), "is_current": url == tab} for url, name in _TABS]
    trail = [{"title": _("Installation"), "href": reverse("operator-organizations")}]
    if title:
        trail.append({"title": format_html("<bdi>{}</bdi>", title), "href": ""})
    return page(request, template, {"tabs": tabs, "breadcrumb": trail, **context}, *forms)


def asked_text(request: HttpRequest) -> str:
    """What is searched for; what cannot be typed is not looked up."""
    text = request.GET.get("q", "").strip()[:_TEXT_LONGEST]
    return text if text.isprintable() else ""


@operator_only
@require_safe
def entrance(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("operator-organizations"))


@operator_only
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    rows, action, about = selectors.entries_of_operators(), request.GET.get("action", ""), asked_text(request)
    if action in dict(_KINDS):
        rows = selectors.about_action(rows, action)
    if about:
        rows = selectors.about(rows, about)
    entries = entries_page(rows, gettext_noop("Log"), request.GET.get("cursor", ""))
    context = {"rows": entries.rows, "table": entries.table, "action": action, "kinds": _KINDS, "q": about}
    return room(request, "orgs/operator/log.html", "operator-log", context)
