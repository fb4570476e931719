from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.orgs.models import Notification
from apps.orgs.selectors.destinations import paths_to
from apps.orgs.selectors.notifications import Choice, list_choices, notifications_of
from apps.orgs.services import notifications as services
from brokle.kernel.extensions import find_event_type
from brokle.web.navigation import Line
from brokle.web.pagination import page_after
from brokle.web.tables import Column, Table

_PAGE = 30
_COLUMNS = [
    Column("event", gettext_noop("Event")),
    Column("in_app", gettext_noop("In the console")),
    Column("email", gettext_noop("By e-mail")),
]


@dataclass(frozen=True, slots=True)
class Told:
    notification: Notification
    title: str


@never_cache
@require_safe
@login_required
def notification_list(request: HttpRequest) -> HttpResponse:
    rows = notifications_of(str(request.user.pk))
    unread_only = request.GET.get("status") == "unread"
    if unread_only:
        rows = rows.filter(read_at__isnull=True)
    page = page_after(rows, request.GET.get("cursor", ""), _PAGE)
    path = reverse("notifications")
    context = {
        "told": [Told(row, _title(row.event)) for row in page.rows],
        "next_cursor": page.next_cursor,
        "tabs": [
            Line("all", _("All"), path, is_current=not unread_only),
            Line("unread", _("Unread"), f"{path}?status=unread", is_current=unread_only),
        ],
        "breadcrumb": [Line("notifications", _("Notifications"), path)],
    }
    return render(request, "orgs/notifications.html", context)


@never_cache
@require_safe
@login_required
def bell(request: HttpRequest) -> HttpResponse:
    """The bell alone, for pages that are open already."""
    return render(request, "orgs/notifications-bell.html")


@never_cache
@require_safe
@login_required
def open_one(request: HttpRequest, notification_id: str) -> HttpResponse:
    """Leads to what it tells of; whoever went there has read it."""
    found = get_object_or_404(notifications_of(str(request.user.pk)), id=notification_id)
    if request.method == "GET":
        services.mark_read(notification=found)
    return HttpResponseRedirect(paths_to([found])[found.id])


@require_POST
@login_required
def read_all(request: HttpRequest) -> HttpResponse:
    services.mark_all_read(user_id=str(request.user.pk))
    return HttpResponseRedirect(reverse("notifications"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    user_id = str(request.user.pk)
    if request.method == "POST":
        chosen = set(request.POST.getlist("channel"))
        for choice in list_choices(user_id):
            _save(user_id, choice, chosen)
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("notification-preferences"))
    choices = sorted(list_choices(user_id), key=lambda choice: choice.event.key.partition(".")[0])
    crumbs = [Line("notifications", _("Notifications"), reverse("notifications")), Line("choose", _("Preferences"), "")]
    context = {"choices": choices, "table": Table(gettext_noop("Preferences"), _COLUMNS), "breadcrumb": crumbs}
    return render(request, "orgs/notifications-preferences.html", context)


def _save(user_id: str, choice: Choice, chosen: set[str]) -> None:
    """Only what differs: the rest follows the defaults, whatever they come to be."""
    wanted = {"in_app": f"in_app:{choice.event.key}" in chosen, "email": f"email:{choice.event.key}" in chosen}
    now = {"in_app": choice.channels.in_app, "email": choice.channels.email}
    changed = {name: value for name, value in wanted.items() if value != now[name]}
    if changed:
        services.choose(user_id=user_id, event=choice.event.key, **changed)


def _title(key: str) -> str:
    event = find_event_type(key)
    return event.title if event else key
