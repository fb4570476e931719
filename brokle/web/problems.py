"""The one place where domain errors become HTTP: RFC 9457 problem bodies with the request's id."""

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpResponse, JsonResponse, UnreadablePostError
from rest_framework import exceptions

from brokle.kernel.errors import BadRequest, BrokleError, Forbidden, NotFound, TooLarge
from brokle.web.formatting import plain_text

log = logging.getLogger("brokle.web.problems")

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
}


def code_of(status: int) -> str:
    return _CODES.get(status, "internal_error" if status >= 500 else "error")


def problem_response(request: Any, status: int, code: str, title: str, detail: str, **more: Any) -> HttpResponse:
    body = {
        "type": f"https://brokle.com/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request, "request_id", ""),
        **more,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")


def from_error(request: Any, error: BrokleError) -> HttpResponse:
    more = {"field": error.field} if error.field else {}
    response = problem_response(request, error.status, error.code, error.title, plain_text(error.detail), **more)
    if error.retry_after_s is not None:
        response["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return response


def drf_exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    request = context["request"]._request  # noqa: SLF001 - DRF's way to Django's request
    known = _as_ours(error)
    if known is not None:
        response = from_error(request, known)
        if known.status == 401:
            response["www-authenticate"] = 'Bearer realm="brokle"'
        return response
    if isinstance(error, exceptions.ValidationError):
        errors = _fields(error.get_full_details())
        first = next(iter(errors), "")
        return problem_response(
            request, 422, "invalid", "Some values are not valid", "See `errors`", field=first, errors=errors
        )
    if isinstance(error, exceptions.APIException):
        return _from_framework(request, error)
    log.error("unhandled", exc_info=error)
    return problem_response(
        request, 500, "internal_error", "Something went wrong on our side", "Quote the request id when you report this"
    )


def _as_ours(error: Exception) -> BrokleError | None:
    if isinstance(error, BrokleError):
        return error
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, PermissionDenied):
        return Forbidden()
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return BadRequest()
    return None


def _fields(details: Any) -> dict[str, Any]:
    return details if isinstance(details, dict) else {"non_field_errors": details}


def _from_framework(request: Any, error: exceptions.APIException) -> HttpResponse:
    status = error.status_code
    response = problem_response(request, status, code_of(status), str(error.default_detail), str(error.detail))
    wait = getattr(error, "wait", None)
    if wait:
        response["retry-after"] = str(math.ceil(wait))
    challenge = getattr(error, "auth_header", None)
    if challenge:
        response["www-authenticate"] = challenge
    return response
