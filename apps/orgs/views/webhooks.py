import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.orgs.contracts import Standing
from apps.orgs.forms import WebhookForm
from apps.orgs.models import DeliveryStatus, Webhook, WebhookDelivery
from apps.orgs.selectors import webhooks as selectors
from apps.orgs.selectors.access import access_organization
from apps.orgs.services import deliveries, signatures
from apps.orgs.services import webhooks as services
from apps.orgs.services.deliveries import TEST_EVENT
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import BrokleError
from brokle.kernel.extensions import event_types, find_event_type
from brokle.web.actor import actor_of
from brokle.web.navigation import Line
from brokle.web.pagination import page_after
from brokle.web.tables import Column, Table

_REVEAL = "reveal_webhook"
_PAGE = 30
_COLUMNS = [
    Column("address", gettext_noop("Address")),
    Column("events", gettext_noop("Events")),
    Column("status", gettext_noop("Status")),
    Column("created", gettext_noop("Created")),
]
_LOG_COLUMNS = [
    Column("event", gettext_noop("Event")),
    Column("status", gettext_noop("Status")),
    Column("answer", gettext_noop("Answer")),
    Column("attempts", gettext_noop("Attempts"), is_numeric=True),
    Column("time", gettext_noop("Time")),
]
_STATES = {
    "delivered": ("ok", gettext_noop("Delivered")),
    "dead": ("bad", gettext_noop("Given up")),
    "waiting": ("idle", gettext_noop("Waiting")),
    "again": ("warn", gettext_noop("Will be tried again")),
}
_REASONS = {
    "by_hand": gettext_noop("Disabled"),
    "failing": gettext_noop("Disabled after failing for days"),
    "gone": gettext_noop("Disabled: the receiver said it is gone"),
}


@dataclass(frozen=True, slots=True)
class EventChoice:
    key: str
    title: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class EventGroup:
    name: str
    events: list[EventChoice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class State:
    tone: str
    word: str


@never_cache
@require_safe
@login_required
def webhook_list(request: HttpRequest, organization: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.read")
    found = list(selectors.webhooks_of(standing.organization.id).order_by("-id"))
    context = {
        "rows": [(webhook, state_of(webhook)) for webhook in found],
        "table": Table(gettext_noop("Webhooks"), _COLUMNS),
        "can_manage": standing.may("webhooks.manage"),
    }
    return render(request, "orgs/webhooks.html", context | _crumbs(organization))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhook_new(request: HttpRequest, organization: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.manage")
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = _tried(
            form,
            lambda: services.create_webhook(
                organization_id=standing.organization.id, actor=actor_of(request), **form.cleaned_data
            ),
        )
        if made is not None:
            request.session[_REVEAL] = made.webhook.id
            return HttpResponseRedirect(reverse("webhook", args=[organization, made.webhook.id]))
    return _form_page(request, organization, form, None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhook_edit(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.manage")
    webhook = _webhook(standing, webhook_id)
    initial = {"url": webhook.url, "description": webhook.description, "event_types": webhook.event_types}
    form = WebhookForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        changed = _tried(
            form, lambda: services.update_webhook(webhook=webhook, actor=actor_of(request), **form.cleaned_data)
        )
        if changed is not None:
            return _back(request, organization, webhook.id, _("The webhook is saved."))
    return _form_page(request, organization, form, webhook)


@never_cache
@require_safe
@login_required
def webhook_detail(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.read")
    webhook = _webhook(standing, webhook_id)
    rows = selectors.deliveries_of(standing.organization.id, webhook_id=webhook.id)
    status = request.GET.get("status", "")
    if status in DeliveryStatus.values:
        rows = rows.filter(status=status)
    page = page_after(rows, request.GET.get("cursor", ""), _PAGE)
    context = {
        "webhook": webhook,
        "host": services.host_of(webhook.url),
        "state": state_of(webhook),
        "secret": _revealed(request, webhook) if standing.may("webhooks.manage") else "",
        "overlaps": bool(webhook.previous_secret_until and webhook.previous_secret_until > utc_now()),
        "events": [EventChoice(key, _title(key), True) for key in webhook.event_types],
        "rows": [(delivery, _title(delivery.event), delivery_state(delivery)) for delivery in page.rows],
        "table": Table(gettext_noop("Deliveries"), _LOG_COLUMNS, next_cursor=page.next_cursor),
        "status": status,
        "statuses": _statuses(),
        "can_manage": standing.may("webhooks.manage"),
    }
    return render(request, "orgs/webhook.html", context | _crumbs(organization, webhook))


@never_cache
@require_safe
@login_required
def webhook_delivery(request: HttpRequest, organization: str, webhook_id: str, delivery_id: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.read")
    webhook = _webhook(standing, webhook_id)
    rows = selectors.deliveries_of(standing.organization.id, webhook_id=webhook.id)
    delivery = get_object_or_404(rows, id=delivery_id)
    context = {
        "webhook": webhook,
        "delivery": delivery,
        "body": json.dumps(json.loads(delivery.body), ensure_ascii=False, indent=2),
        "title": _title(delivery.event),
        "state": delivery_state(delivery),
        "attempts": selectors.attempts_of(standing.organization.id, delivery_id=delivery.id),
        "can_manage": standing.may("webhooks.manage"),
    }
    crumbs = _crumbs(organization, webhook)
    crumbs["breadcrumb"].append(Line("delivery", _("Delivery"), ""))
    return render(request, "orgs/webhook-delivery.html", context | crumbs)


@require_POST
@login_required
def webhook_test(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    webhook = _webhook(_standing(request, organization, "webhooks.manage"), webhook_id)
    return _done(
        request,
        organization,
        webhook.id,
        lambda: deliveries.send_test(webhook=webhook, actor=actor_of(request)),
        _("A test message is on its way."),
    )


@require_POST
@login_required
def webhook_rotate(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    webhook = _webhook(_standing(request, organization, "webhooks.manage"), webhook_id)
    services.rotate_secret(webhook=webhook, actor=actor_of(request))
    request.session[_REVEAL] = webhook.id
    return _back(request, organization, webhook.id, _("The new secret is shown below, this once."))


@require_POST
@login_required
def webhook_switch(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    webhook = _webhook(_standing(request, organization, "webhooks.manage"), webhook_id)
    is_enabled = request.POST.get("enabled") == "yes"
    services.update_webhook(webhook=webhook, actor=actor_of(request), is_enabled=is_enabled)
    text = _("The webhook is enabled.") if is_enabled else _("The webhook is disabled.")
    return _back(request, organization, webhook.id, text)


@require_POST
@login_required
def webhook_delete(request: HttpRequest, organization: str, webhook_id: str) -> HttpResponse:
    """The name is asked again here: without JavaScript the button is never disabled."""
    webhook = _webhook(_standing(request, organization, "webhooks.manage"), webhook_id)
    if request.POST.get("confirm", "").strip() != services.host_of(webhook.url):
        messages.error(request, _("That is not the host of this webhook; nothing was deleted."))
        return HttpResponseRedirect(reverse("webhook", args=[organization, webhook.id]))
    services.delete_webhook(webhook=webhook, actor=actor_of(request))
    messages.success(request, _("The webhook is deleted."))
    return HttpResponseRedirect(reverse("webhooks", args=[organization]))


@require_POST
@login_required
def webhook_replay(request: HttpRequest, organization: str, webhook_id: str, delivery_id: str) -> HttpResponse:
    standing = _standing(request, organization, "webhooks.manage")
    webhook = _webhook(standing, webhook_id)
    rows = selectors.deliveries_of(standing.organization.id, webhook_id=webhook.id)
    delivery = get_object_or_404(rows, id=delivery_id)
    return _done(
        request,
        organization,
        webhook.id,
        lambda: deliveries.replay(delivery=delivery, actor=actor_of(request)),
        _("It is being delivered again."),
    )


def state_of(webhook: Webhook) -> State:
    if not webhook.is_enabled:
        return State("idle" if webhook.disabled_reason == "by_hand" else "bad", _REASONS[webhook.disabled_reason])
    if webhook.failing_since is not None:
        return State("warn", gettext_noop("Failing"))
    return State("ok", gettext_noop("Enabled"))


def delivery_state(delivery: WebhookDelivery) -> State:
    kind: str = delivery.status
    if kind == DeliveryStatus.PENDING:
        kind = "again" if delivery.tries else "waiting"
    return State(*_STATES[kind])


def _standing(request: HttpRequest, organization: str, permission: str) -> Standing:
    standing = access_organization(request, slug=organization)
    if not standing.may(permission):
        raise PermissionDenied
    return standing


def _webhook(standing: Standing, webhook_id: str) -> Webhook:
    return get_object_or_404(selectors.webhooks_of(standing.organization.id), id=webhook_id)


def _tried(form: Form, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except BrokleError as error:
        form.add_error(error.field if error.field in form.fields else None, error.detail)
        return None


def _done(request: HttpRequest, organization: str, webhook_id: str, work: Callable[[], Any], text: str) -> HttpResponse:
    try:
        work()
    except BrokleError as error:
        messages.error(request, error.detail)
        return HttpResponseRedirect(reverse("webhook", args=[organization, webhook_id]))
    return _back(request, organization, webhook_id, text)


def _back(request: HttpRequest, organization: str, webhook_id: str, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse("webhook", args=[organization, webhook_id]))


def _revealed(request: HttpRequest, webhook: Webhook) -> str:
    """Once, on the page that follows its making."""
    if request.session.get(_REVEAL) != webhook.id:
        return ""
    del request.session[_REVEAL]
    return signatures.secrets_of(webhook, now=utc_now())[0]


def _form_page(request: HttpRequest, organization: str, form: WebhookForm, webhook: Webhook | None) -> HttpResponse:
    chosen = set(form["event_types"].value() or ())
    groups: dict[str, EventGroup] = {}
    for event in sorted(event_types.collect(), key=lambda event: event.key.partition(".")[0]):
        noun = event.key.partition(".")[0]
        group = groups.setdefault(noun, EventGroup(noun))
        group.events.append(EventChoice(event.key, event.title, event.key in chosen))
    back = reverse("webhook", args=[organization, webhook.id]) if webhook else reverse("webhooks", args=[organization])
    context = {"form": form, "webhook": webhook, "groups": list(groups.values()), "back": back}
    crumbs = _crumbs(organization, webhook)
    crumbs["breadcrumb"].append(Line("form", _("Change") if webhook else _("New webhook"), ""))
    return render(request, "orgs/webhook-form.html", context | crumbs, status=422 if form.errors else 200)


def _crumbs(organization: str, webhook: Webhook | None = None) -> dict[str, Any]:
    lines = [Line("webhooks", _("Webhooks"), reverse("webhooks", args=[organization]))]
    if webhook is not None:
        href = reverse("webhook", args=[organization, webhook.id])
        lines.append(Line("webhook", services.host_of(webhook.url), href))
    return {"breadcrumb": lines, "organization": organization}


def _title(event: str) -> str:
    if event == TEST_EVENT:
        return gettext_noop("Test message")
    known = find_event_type(event)
    return known.title if known else event


def _statuses() -> list[tuple[str, str]]:
    return [("", _("All")), ("pending", _("Waiting")), ("delivered", _("Delivered")), ("dead", _("Given up"))]
