"""The playground: the same question to several models, through the gateway itself, as the person who asks."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.orgs import facade as orgs
from apps.routing.selectors.callable import list_chat_names
from apps.routing.views.pages import href_at
from brokle.edge.passes import LIFE_S, write_pass
from brokle.web.pages import page
from brokle.web.snippets import Snippet

_MOST = 4
_LONGEST = 200
_FIRST = "echo/fast"
_FORMATS = (
    ("", gettext_noop("Text")),
    ("json_object", gettext_noop("A JSON object")),
    ("json_schema", gettext_noop("JSON by a schema")),
)
_LANGUAGES = ("curl", "Python", "JavaScript")


@never_cache
@require_safe
@login_required
def playground(request: HttpRequest, organization: str) -> HttpResponse:
    place = orgs.access_environment(request, organization_slug=organization, permission="playground.use")
    names = list_chat_names(place.organization.id, project_id=place.project_id)
    context = {
        "models": _asked(request) or names[:1] or [_FIRST],
        "names": names,
        "formats": [(key, _(title)) for key, title in _FORMATS],
        "pass_href": href_at(place, "playground-pass"),
        "request_href": href_at(place, "request", "req_0"),
        "keep": f"playground:{request.user.pk}:{place.organization.id}",
        "code": [Snippet(language, "") for language in _LANGUAGES],
    }
    return page(request, "routing/playground.html", context)


@never_cache
@require_POST
@login_required
def playground_pass(request: HttpRequest, organization: str) -> HttpResponse:
    """What the page calls the gateway with: for this person, in this environment, for a minute."""
    place = orgs.access_environment(request, organization_slug=organization, permission="playground.use")
    token = write_pass(
        settings.PASS_KEY,
        user_id=str(request.user.pk),
        organization_id=place.organization.id,
        project_id=place.project_id,
        environment_id=place.environment_id,
        session_key=str(request.session.session_key),
    )
    return JsonResponse({"token": token, "expires_in": LIFE_S})


def _asked(request: HttpRequest) -> list[str]:
    """Up to four; further ones are left out."""
    wanted = (one.strip()[:_LONGEST] for one in request.GET.getlist("model"))
    return list(dict.fromkeys(one for one in wanted if one and one.isprintable()))[:_MOST]
