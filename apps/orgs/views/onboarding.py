from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.orgs.forms import OrganizationForm, OwnerForm
from apps.orgs.selectors import keys, organizations
from apps.orgs.selectors.access import access_environment, home_organization
from apps.orgs.services.onboarding import Onboarded, begin, onboard
from apps.users import facade as users
from brokle.kernel.errors import Conflict
from brokle.kernel.extensions import first_request
from brokle.web.actor import actor_of
from brokle.web.snippets import chat_snippets

_FRESH_KEY = "fresh_key"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/dashboard" if users.any_user_exists() else "/onboarding")


@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """To one's organization; where the only one is suspended, to the page that says why."""
    home = home_organization(request)
    if home is not None:
        return HttpResponseRedirect(f"/{home.slug}/")
    suspended = organizations.suspended_organizations_of(user_id=str(request.user.pk)).first()
    return HttpResponseRedirect(f"/{suspended.slug}/" if suspended else "/onboarding/organization")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """The first visit of an installation without people; afterwards it leads to the sign-in."""
    if users.any_user_exists():
        return HttpResponseRedirect("/dashboard")
    form = OwnerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = onboard(**form.cleaned_data, language=get_language() or "en", actor=actor_of(request))
        except Conflict:
            form.add_error(None, _("This installation already has an owner. Sign in instead."))
        else:
            return _begin(request, done)
    return render(request, "onboarding/welcome.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def organization(request: HttpRequest) -> HttpResponse:
    """Where somebody with an account begins an organization: their first or another one."""
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = begin(user_id=str(request.user.pk), actor=actor_of(request), **form.cleaned_data)
        return _show_key(request, done)
    home = home_organization(request)
    context = {"form": form, "back": f"/{home.slug}/" if home else ""}
    return render(request, "onboarding/organization.html", context, status=422 if form.errors else 200)


def _begin(request: HttpRequest, done: Onboarded) -> HttpResponse:
    users.sign_in_as(request, user_id=done.user_id)
    return _show_key(request, done)


def _show_key(request: HttpRequest, done: Onboarded) -> HttpResponse:
    request.session[_FRESH_KEY] = {"key_id": done.key.key_id, "value": done.key.value}
    return HttpResponseRedirect(f"/onboarding/key?organization={done.organization.slug}")


@never_cache
@require_safe
@login_required
def first_key(request: HttpRequest) -> HttpResponse:
    """Shows the first key until the first request was seen; then it is gone from the session."""
    environment = access_environment(
        request, organization_slug=request.GET.get("organization", ""), permission="keys.read"
    )
    key = keys.find_newest_key(environment)
    fresh = request.session.get(_FRESH_KEY) or {}
    value = fresh.get("value", "") if key is not None and fresh.get("key_id") == key.id else ""
    seen = first_request.choose()(environment.organization.id, environment.environment_id)
    if seen is not None:
        request.session.pop(_FRESH_KEY, None)
    context = {
        "key": value,
        "key_name": key.name if key else "",
        "key_hint": str(key) if key else "",
        "environment": environment.environment_name,
        "snippets": chat_snippets(request.build_absolute_uri("/"), value or "$BROKLE_API_KEY"),
        "room": f"requests:{environment.environment_id}",
        "seen": seen,
        "next_href": f"/{environment.organization.slug}/",
    }
    return render(request, "onboarding/key.html", context)
