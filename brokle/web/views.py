from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from brokle.web import errors, navigation, preferences
from brokle.web.assets import find_assets
from brokle.web.context import workspace_of


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    code = request.POST.get("language", "")
    if not preferences.is_language(code):
        return errors.bad_request(request)
    _keep(request, language=code)
    response = _back(request)
    preferences.remember(response, language=code)
    return response


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("theme", "")
    if not preferences.is_theme(name):
        return errors.bad_request(request)
    _keep(request, theme=name)
    response = _back(request)
    preferences.remember(response, theme=name)
    return response


@require_GET
@never_cache
def palette(request: HttpRequest) -> JsonResponse:
    assets = find_assets()
    shapes = assets.icons if assets else {}
    lines = navigation.palette(request, workspace_of(request))
    return JsonResponse({"commands": [{**line, "icon": shapes.get(line["icon"], "")} for line in lines]})


def _keep(request: HttpRequest, **changes: str) -> None:
    """The cookie serves this browser; the person's own setting serves their mail and their next browser."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return
    for name, value in changes.items():
        setattr(user, name, value)
    user.save(update_fields=list(changes))


def _back(request: HttpRequest) -> HttpResponseRedirect:
    target = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if is_safe else "/")
