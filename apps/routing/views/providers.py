"""Providers: what is connected and how it does, connecting another, testing, changing and removing one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.orgs import facade as orgs
from apps.orgs.contracts import EnvironmentRef
from apps.routing.forms import CredentialForm, NewProviderForm, ProviderForm, ProviderModelForm
from apps.routing.models import Owner, Provider
from apps.routing.selectors.catalogue import find_provider, list_providers
from apps.routing.selectors.credentials import credentials_of
from apps.routing.selectors.health import UNKNOWN, Health, list_health
from apps.routing.selectors.providers import DEFAULT_DIALECT, address_of, dialect_of, models_of_provider, providers_at
from apps.routing.selectors.settings import settings_of
from apps.routing.services import providers
from apps.routing.services.connection import Finding, check_connection
from apps.routing.services.settings import change_settings
from apps.routing.views.pages import env_of, href_at
from apps.routing.views.words import OFF, State, finding_of, health_of
from brokle.engines.analytics import UnableToQuery
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import BrokleError, Forbidden
from brokle.web.actor import actor_of
from brokle.web.navigation import Line
from brokle.web.pages import act, page, submit
from brokle.web.snippets import connect_command, own_key_command
from brokle.web.tables import Column, Table

_LATELY = timedelta(hours=1)
_SHOWN = 24
_LONGEST = 60
_COLUMNS = [
    Column("name", gettext_noop("Provider")),
    Column("address", gettext_noop("Address")),
    Column("keys", gettext_noop("Keys"), is_numeric=True),
    Column("health", gettext_noop("Last hour")),
    Column("errors", gettext_noop("Errors"), is_numeric=True),
    Column("p95", gettext_noop("95th percentile"), is_numeric=True),
    Column("tested", gettext_noop("Tested")),
]


@dataclass(frozen=True, slots=True)
class Entry:
    provider: Provider
    title: str
    address: str
    health: Health
    state: State
    href: str


@never_cache
@require_safe
@login_required
def provider_list(request: HttpRequest, organization: str) -> HttpResponse:
    standing, place = orgs.access_place(request, organization_slug=organization, permission="providers.read")
    rows = providers_at(place.organization.id, project_id=place.project_id)
    own = Q(credentials__environment=None) | Q(credentials__environment=place.environment_id)
    rows = rows.annotate(keys=Count("credentials", filter=own)).order_by("name")
    health = _lately(place)
    context = {
        "entries": [_entry(place, provider, (health or {}).get(provider.name, UNKNOWN)) for provider in rows],
        "table": Table(gettext_noop("Providers"), _COLUMNS),
        "is_away": health is None,
        "may_manage": standing.may("providers.manage", place.project_id),
        "connect": href_at(place, "provider-new"),
        "command": connect_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
        "allows_own_keys": settings_of(place.organization.id, project_id=place.project_id).allows_own_keys,
        "own_keys": href_at(place, "own-keys"),
        "own_key_command": own_key_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
    }
    return page(request, "routing/providers.html", context)


@never_cache
@require_POST
@login_required
def own_keys(request: HttpRequest, organization: str) -> HttpResponse:
    """Whether callers may bring a provider's key of their own: a switch with one way each."""
    _standing, place = orgs.access_place(request, organization_slug=organization, permission="providers.manage")
    allows = request.POST.get("allows") == "yes"
    return act(
        request,
        href_at(place, "providers"),
        lambda: change_settings(
            organization_id=place.organization.id,
            project_id=place.project_id,
            actor=actor_of(request),
            allows_own_keys=allows,
        ),
        _("Callers may bring their own keys now; every process knows it within a second.")
        if allows
        else _("Callers bring no keys any more; every process knows it within a second."),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def provider_new(request: HttpRequest, organization: str) -> HttpResponse:
    """First which, from the catalogue; then what it needs."""
    standing, place = orgs.access_place(request, organization_slug=organization, permission="providers.manage")
    kind = request.GET.get("kind", "")
    facts = find_provider(kind)
    context = {**_crumbs(place), "env": env_of(place), "back": href_at(place, "providers")}
    if facts is None:
        return page(request, "routing/provider-choose.html", {**context, **_found(place, request.GET.get("q", ""))})
    form = NewProviderForm(
        request.POST or None, base_url=facts.base_url, kind=kind, initial={"name": kind, "base_url": facts.base_url}
    )
    if not standing.may("providers.manage"):
        del form.fields["for_all_projects"]
    if request.method == "POST":
        made = submit(form, lambda said: _connect(request, place, kind, form, said))
        if made is not None:
            messages.success(request, _("Connected. Test the connection to be sure that it answers."))
            return HttpResponseRedirect(href_at(place, "provider", made.id))
    context |= {"form": form, "facts": facts, "kind": kind, "again": href_at(place, "provider-new")}
    return page(request, "routing/provider-new.html", context, form)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def provider_detail(request: HttpRequest, organization: str, provider_id: str) -> HttpResponse:
    place, provider, may_manage = stand_at(request, organization, provider_id, "providers.read")
    form = ProviderForm(
        request.POST or None,
        base_url=_template_of(request, provider),
        kind=provider.kind,
        initial=ProviderForm.facts_of(provider),
    )
    if request.method == "POST":
        demand_manage(may_manage)
        if submit(form, lambda said: _change(request, provider, form, said)) is not None:
            messages.success(request, _("Saved; every process knows it within a second."))
            return HttpResponseRedirect(href_at(place, "provider", provider.id))
    return detail_page(request, place, provider, may_manage=may_manage, form=form)


@never_cache
@require_POST
@login_required
def provider_test(request: HttpRequest, organization: str, provider_id: str) -> HttpResponse:
    """A real call; the page comes back with what was found."""
    place, provider, _may = stand_at(request, organization, provider_id, "providers.manage")
    rows = credentials_of(provider.organization_id, provider_id=provider.id).order_by("id")
    own = rows.filter(environment_id=place.environment_id).first()
    finding, refusal = None, ""
    try:
        finding = check_connection(
            provider=provider,
            credential=own or rows.filter(environment=None).first(),
            actor=actor_of(request),
            model=request.POST.get("model", "").strip()[:200],
        )
    except BrokleError as error:
        if error.status >= 500:
            raise
        refusal = error.detail
    return detail_page(request, place, provider, may_manage=True, finding=finding, refusal=refusal)


@never_cache
@require_POST
@login_required
def provider_remove(request: HttpRequest, organization: str, provider_id: str) -> HttpResponse:
    """The name is asked again here: without JavaScript the button is never disabled."""
    place, provider, _may = stand_at(request, organization, provider_id, "providers.manage")
    if request.POST.get("confirm", "").strip() != provider.name:
        messages.error(request, _("That is not the name of this provider; nothing was removed."))
        return HttpResponseRedirect(href_at(place, "provider", provider.id))
    return act(
        request,
        href_at(place, "providers"),
        lambda: providers.remove_provider(provider=provider, actor=actor_of(request)),
        _("The provider is removed; within a second nothing calls it."),
    )


def stand_at(
    request: HttpRequest, organization: str, provider_id: str, permission: str
) -> tuple[EnvironmentRef, Provider, bool]:
    """One that this project can call, and whether the person may change it.

    What all projects share is changed by whoever may do so in all of them.
    """
    standing, place = orgs.access_place(request, organization_slug=organization, permission=permission)
    rows = providers_at(place.organization.id, project_id=place.project_id)
    provider = get_object_or_404(rows, id=provider_id)
    may_manage = standing.may("providers.manage", provider.project_id or "")
    if permission == "providers.manage":
        demand_manage(may_manage)
    return place, provider, may_manage


def demand_manage(may_manage: bool) -> None:
    if not may_manage:
        raise Forbidden("All projects share this provider; whoever manages all of them can change it")


def detail_page(
    request: HttpRequest, place: EnvironmentRef, provider: Provider, *, may_manage: bool, **more: Any
) -> HttpResponse:
    """The page of one provider; forms that were sent and not taken come back with their errors."""
    rows = credentials_of(provider.organization_id, provider_id=provider.id)
    here = Q(environment=None) | Q(environment_id=place.environment_id)
    finding: Finding | None = more.pop("finding", None)
    forms = {
        "form": ProviderForm(base_url=provider.base_url, kind=provider.kind, initial=ProviderForm.facts_of(provider)),
        "credential_form": CredentialForm(prefix="credential"),
        "model_form": ProviderModelForm(prefix="model"),
        **{name: form for name, form in more.items() if name.endswith("form")},
    }
    health = (_lately(place) or {}).get(provider.name, UNKNOWN)
    context = {
        **_crumbs(place, provider),
        **forms,
        "entry": _entry(place, provider, health),
        "provider": provider,
        "dialect": dialect_of(provider.kind),
        "credentials": rows.filter(here).order_by("environment_id", "id"),
        "elsewhere": rows.exclude(here).count(),
        "models": models_of_provider(provider.organization_id, provider_id=provider.id).order_by("name")[:200],
        "may_manage": may_manage and provider.owner == Owner.PEOPLE,
        "may_test": may_manage,
        "is_of_file": provider.owner == Owner.FILE,
        "env": env_of(place),
        "organization": place.organization.slug,
        "finding": finding,
        "meaning": finding_of(finding.code) if finding and not finding.is_ok else "",
        "refusal": more.get("refusal", ""),
        "requests_href": href_at(place, "requests", provider=provider.name),
    }
    return page(request, "routing/provider.html", context, *forms.values())


def _lately(place: EnvironmentRef) -> dict[str, Health] | None:
    """None where the analytics engine does not answer; the page says so and stays useful."""
    scope = {"organization_id": place.organization.id, "environment_id": place.environment_id}
    try:
        return list_health(**scope, since=utc_now() - _LATELY)
    except UnableToQuery:
        return None


def _entry(place: EnvironmentRef, provider: Provider, health: Health) -> Entry:
    facts = find_provider(provider.kind)
    return Entry(
        provider=provider,
        title=facts.title if facts else provider.kind,
        address=address_of(provider),
        health=health,
        state=health_of(health.calls, health.error_share) if provider.is_enabled else OFF,
        href=href_at(place, "provider", provider.id),
    )


def _found(place: EnvironmentRef, text: str) -> dict[str, Any]:
    asked = text.strip()[:_LONGEST].lower()
    fitting = [
        (name, facts) for name, facts in list_providers().items() if asked in name or asked in facts.title.lower()
    ]
    shown = [
        (name, facts.title, href_at(place, "provider-new", kind=name))
        for name, facts in sorted(fitting, key=lambda one: one[1].title.lower() if asked else "")[:_SHOWN]
    ]
    custom = href_at(place, "provider-new", kind=DEFAULT_DIALECT)
    return {"asked": text.strip()[:_LONGEST], "shown": shown, "count": len(fitting), "custom": custom}


def _connect(
    request: HttpRequest, place: EnvironmentRef, kind: str, form: NewProviderForm, said: dict[str, Any]
) -> Provider:
    return providers.create_provider(
        organization_id=place.organization.id,
        project_id=None if said.get("for_all_projects") else place.project_id,
        actor=actor_of(request),
        name=said["name"],
        kind=kind,
        secret=said["api_key"],
        base_url=said["base_url"],
        options=form.options(),
    )


def _template_of(request: HttpRequest, provider: Provider) -> str:
    """The address as it is being written, so that what it leaves open is asked for."""
    return request.POST.get("base_url", provider.base_url) if request.method == "POST" else provider.base_url


def _change(request: HttpRequest, provider: Provider, form: ProviderForm, said: dict[str, Any]) -> Provider:
    changes = {name: said[name] for name in ("name", "base_url", "is_open", "is_enabled")}
    options = form.options(provider.options)
    return providers.update_provider(provider=provider, actor=actor_of(request), options=options, **changes)


def _crumbs(place: EnvironmentRef, provider: Provider | None = None) -> dict[str, Any]:
    lines = [Line("providers", _("Providers"), href_at(place, "providers"))]
    lines.append(Line("provider", _("Provider"), "") if provider else Line("new", _("Connect a provider"), ""))
    return {"breadcrumb": lines}
