"""The pages of 400, 403, 404, 429 and 500. None may fail: they use no database, session or context processor."""

import logging
import math

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.html import escape
from django.utils.translation import gettext as _

from brokle.kernel.errors import BrokleError, OrganizationSuspended
from brokle.web.context import bare_shell
from brokle.web.problems import code_of, from_error, problem_response

_logger = logging.getLogger("brokle.web")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400, _("This request cannot be understood"), _("Go back, reload the page and try again."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("Your role does not include this. Ask an owner or administrator of the organization.")
    return _page(request, 403, _("This is not allowed"), text)


def organization_suspended(request: HttpRequest, error: OrganizationSuspended) -> HttpResponse:
    text = _("Nobody can work in it, and its API keys are refused. Ask whoever runs this installation.")
    reason = error.detail if error.detail != error.title else ""
    return _page(request, 403, _("This organization is suspended"), text, reason=reason)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = _("The page was open for too long, or cookies are blocked. Reload it and send the form again.")
    return _page(request, 403, _("This page is out of date"), text)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("The address may be mistyped, or what was here has been moved or deleted.")
    return _page(request, 404, _("There is nothing here"), text)


def method_not_allowed(request: HttpRequest) -> HttpResponse:
    """The address of a button, opened as a page."""
    return _page(request, 405, _("This page cannot be opened that way"), _("Go back, and use the button there."))


def too_many_requests(request: HttpRequest, retry_after_s: int = 0) -> HttpResponse:
    response = _page(
        request, 429, _("Too many requests"), _("Wait a moment, then try again."), retry_after_s=retry_after_s
    )
    if retry_after_s:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def domain_error(request: HttpRequest, error: BrokleError) -> HttpResponse:
    """What a room refused, as the page of its status; its own words where it has some."""
    if wants_problem(request):
        return from_error(request, error)
    if error.status == 429:
        return too_many_requests(request, math.ceil(error.retry_after_s or 0))
    if isinstance(error, OrganizationSuspended):
        return organization_suspended(request, error)
    known = {400: bad_request, 403: permission_denied, 404: page_not_found}.get(error.status)
    if known is not None:
        return known(request)
    if error.status >= 500:
        return server_error(request)
    return _page(request, error.status, _("This did not work"), str(error.detail))


def server_error(request: HttpRequest) -> HttpResponse:
    text = _(
        "Nothing was lost on your side. Try again; if it stays, give the request id to whoever runs this installation."
    )
    return _page(request, 500, _("Something went wrong on our side"), text)


def wants_problem(request: HttpRequest) -> bool:
    """A program is answered in its own form: under /api/, or where JSON is asked for and no page is."""
    accept = request.headers.get("accept", "")
    return request.path.startswith("/api/") or ("json" in accept and "text/html" not in accept)


def _page(
    request: HttpRequest, status: int, title: str, text: str, *, retry_after_s: int = 0, reason: str = ""
) -> HttpResponse:
    if wants_problem(request):
        return problem_response(request, status, code_of(status), title, text)
    request_id = getattr(request, "request_id", "")
    context = {
        "shell": bare_shell(request),
        "status": status,
        "title": title,
        "text": text,
        "reason": reason,
        "request_id": request_id,
        "retry_after_s": retry_after_s,
        "retry": status in {429, 500},
        "csrf_token": get_token(request) if status != 500 else "",
    }
    try:
        body: str = render_to_string("errors/page.html", context)
    except Exception:  # the last page must come out even when a template is broken
        _logger.exception("an error page failed to render")
        head = f"<!doctype html><title>{status}</title><h1>{escape(title)}</h1>"
        body = f"{head}<p>{escape(text)}</p><p>{escape(request_id)}</p>"
    response = HttpResponse(body, status=status)
    add_never_cache_headers(response)
    return response
