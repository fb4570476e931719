"""API keys of an environment: made, seen once, changed, rotated, revoked."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.contracts import EnvironmentRef, IssuedKey
from apps.orgs.forms import KeyForm
from apps.orgs.selectors.access import access_environment, access_place
from apps.orgs.selectors.keys import burns_of, keys_of
from apps.orgs.selectors.projects import get_environment
from apps.orgs.services.keys import bounds_of, issue_key, revoke_key, rotate_key, update_key
from apps.orgs.views.pages import act, page, submit
from apps.orgs.views.words import SCOPES
from brokle.kernel.clock import utc_now
from brokle.web.actor import actor_of
from brokle.web.pagination import page_after
from brokle.web.snippets import chat_snippets

_OVERLAP = timedelta(days=1)
_PAGE = 50


def _address(place: EnvironmentRef, tail: str = "") -> str:
    query = f"env={place.project_slug}/{place.environment_slug}"
    return f"/{place.organization.slug}/settings/keys{tail}?{query}"


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest, organization: str) -> HttpResponse:
    """The list, and a new key; the answer to making one is the one page that shows it whole."""
    standing, place = access_place(request, slug=organization, permission="keys.read")
    form = KeyForm(request.POST or None, initial={"scopes": ["gateway", "ingest"]})
    if request.method == "POST":
        standing.demand("keys.manage", place.project_id)
        issued = submit(
            form,
            lambda data: issue_key(
                environment=get_environment(place),
                name=data["name"],
                scopes=data["scopes"],
                actor=actor_of(request),
                bounds=form.bounds(),
            ),
        )
        if issued is not None:
            return _shown_once(request, place, issued)
    shown = page_after(keys_of(place), request.GET.get("cursor", ""), _PAGE)
    now = utc_now()
    burns = burns_of(shown.rows, now=now)
    context = {
        "form": form,
        "place": place,
        "keys": [(key, burns.get(key.id)) for key in shown.rows],
        "next_cursor": shown.next_cursor,
        "scopes": SCOPES,
        "may_manage": standing.may("keys.manage", place.project_id),
        "now": now,
        "env": f"{place.project_slug}/{place.environment_slug}",
    }
    return page(request, "orgs/keys.html", context, form)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def key(request: HttpRequest, organization: str, key_id: str) -> HttpResponse:
    place = access_environment(request, organization_slug=organization, permission="keys.manage")
    found = get_object_or_404(keys_of(place), id=key_id)
    form = KeyForm(request.POST or None, initial=KeyForm.facts_of(found))
    if request.method == "POST":
        done = submit(
            form,
            lambda data: update_key(
                key=found, actor=actor_of(request), bounds=form.bounds(), name=data["name"], scopes=data["scopes"]
            ),
        )
        if done is not None:
            messages.success(request, _("Saved; every process knows it within a second."))
            return HttpResponseRedirect(_address(place, f"/{found.id}"))
    context = {"form": form, "key": found, "place": place, "now": utc_now(), "back": _address(place)}
    context["env"] = f"{place.project_slug}/{place.environment_slug}"
    context["bounds"] = bounds_of(found)
    context["burn"] = burns_of([found], now=utc_now()).get(found.id)
    return page(request, "orgs/key.html", context, form)


@never_cache
@login_required
@require_POST
def rotate(request: HttpRequest, organization: str, key_id: str) -> HttpResponse:
    place = access_environment(request, organization_slug=organization, permission="keys.manage")
    found = get_object_or_404(keys_of(place), id=key_id)
    issued: list[IssuedKey] = []
    answer = act(
        request,
        _address(place),
        lambda: issued.append(rotate_key(key=found, actor=actor_of(request), overlap=_OVERLAP)),
        _("The former key works for one more day."),
    )
    return _shown_once(request, place, issued[0]) if issued else answer


@login_required
@require_POST
def revoke(request: HttpRequest, organization: str, key_id: str) -> HttpResponse:
    place = access_environment(request, organization_slug=organization, permission="keys.manage")
    found = get_object_or_404(keys_of(place), id=key_id)
    return act(
        request,
        _address(place),
        lambda: revoke_key(key=found, actor=actor_of(request), at=utc_now()),
        _("The key is revoked; within a second nothing accepts it."),
    )


def _shown_once(request: HttpRequest, place: EnvironmentRef, issued: IssuedKey) -> HttpResponse:
    context: dict[str, Any] = {
        "issued": issued,
        "place": place,
        "back": _address(place),
        "snippets": chat_snippets(request.build_absolute_uri("/"), issued.value),
    }
    return page(request, "orgs/key-shown.html", context)
