"""The component gallery and every page with sample data; mounted in development mode only."""

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from brokle.web import errors
from brokle.web.context import bare_shell
from brokle.web.gallery import samples

_ERRORS = {
    "400": errors.bad_request,
    "403": errors.permission_denied,
    "404": errors.page_not_found,
    "429": lambda request: errors.too_many_requests(request, 12),
    "500": errors.server_error,
}


def components(request: HttpRequest) -> HttpResponse:
    return render(request, "gallery/components.html", {**samples.for_components(), **_frame(request, "settings")})


def page(request: HttpRequest, name: str) -> HttpResponse:
    if name in _ERRORS:
        request.request_id = "req_01JC9V7K2M8ZQ4X0T5"  # type: ignore[attr-defined]
        return _ERRORS[name](request)
    if name not in samples.PAGES:
        raise Http404
    sample = samples.PAGES[name]
    return render(request, sample.template, {**sample.context(), **_frame(request, sample.section)})


def _frame(request: HttpRequest, section: str) -> dict[str, object]:
    workspace = samples.WORKSPACE
    lines = samples.sections(section)
    shell = replace(
        bare_shell(request), person=samples.PERSON, workspace=workspace, sections=lines, account="#", sign_out="#"
    )
    return {"shell": shell}
