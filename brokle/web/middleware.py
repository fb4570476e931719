"""What every page and API answer gets: a request id, a log context, and headers that keep browsers safe."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.db.utils import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin

from brokle.kernel import log
from brokle.kernel.errors import BadRequest, BrokleError
from brokle.kernel.ids import new_id, new_trace_id
from brokle.kernel.metrics import counter, histogram
from brokle.kernel.tracing import SERVER, Span, parse_traceparent, tracer
from brokle.web.errors import domain_error, method_not_allowed

logger = logging.getLogger("brokle.web")

GetResponse = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]
_requests = counter("brokle_web_requests_total", "Requests the console and API answered.", "route", "status")
_latency = histogram("brokle_web_request_seconds", "How long the console and API took.", "route")


class RequestScope:
    """One request of the console or the API: named, logged, counted and, when traced, a span.

    The name is in every log line, in problem bodies and in `x-request-id`.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._started_at = time.perf_counter()
        traceparent = request.headers.get("traceparent", "")
        found = parse_traceparent(traceparent)
        self._span = tracer.begin(request.method, SERVER, traceparent)
        request.request_id = new_id("req")
        request.trace_id = found[0] if found else new_trace_id()
        if isinstance(self._span, Span):
            request.trace_id = self._span.trace_id

    def log_fields(self) -> dict[str, str]:
        """What is known by now; a line never asks the database who the user is."""
        request = self._request
        fields = {"request_id": request.request_id, "trace_id": request.trace_id}
        for holder in (getattr(request, "workspace", None), getattr(request, "principal", None)):
            organization_id = getattr(holder, "organization_id", "")
            if organization_id:
                fields["organization_id"] = organization_id
        user_id = getattr(getattr(request, "_cached_user", None), "pk", None)
        if user_id:
            fields["user_id"] = str(user_id)
        return fields

    def __enter__(self) -> Self:
        self._token = log.context.set(self)
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, trace)
        log.context.reset(self._token)

    def finish(self, response: HttpResponse) -> HttpResponse:
        seconds = time.perf_counter() - self._started_at
        status = response.status_code
        match = self._request.resolver_match
        route = f"/{match.route}" if match is not None else "unmatched"
        _requests.of(route, f"{status // 100}xx").inc()
        _latency.of(route).observe(seconds)
        if settings.ACCESS_LOG:
            facts = {"method": self._request.method, "route": route, "status": status, "ms": round(seconds * 1000, 3)}
            logger.info("answered", extra=facts)
        self._describe(route, status)
        response["x-request-id"] = self._request.request_id
        return response

    def _describe(self, route: str, status: int) -> None:
        span = self._span
        if not isinstance(span, Span):
            return
        span.name = f"{self._request.method} {route}"
        span.set("http.request.method", self._request.method)
        span.set("http.route", route)
        span.set("http.response.status_code", status)
        span.set("brokle.request_id", self._request.request_id)
        if status >= 500:
            span.fail(str(status))


@sync_and_async_middleware
def request_context(get_response: Any) -> Any:
    """Outermost, so that everything else happens inside the request's scope."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponse:
            with RequestScope(request) as scope:
                return scope.finish(await get_response(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponse:
        with RequestScope(request) as scope:
            return scope.finish(get_response(request))

    return synchronous


def content_security_policy(nonce: str) -> str:
    static = settings.STATIC_URL if settings.STATIC_URL.startswith("http") else ""
    source = f"'self' {static}".strip()
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {source} 'nonce-{nonce}'",
            f"style-src {source} 'nonce-{nonce}'",
            f"img-src {source} data:",
            f"font-src {source}",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "manifest-src 'self'",
        ]
    )


def _secure(request: Any, response: HttpResponse) -> HttpResponse:
    headers = {
        "content-security-policy": content_security_policy(request.csp_nonce),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "strict-origin-when-cross-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
    if settings.SECURE:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


@sync_and_async_middleware
def security_headers(get_response: Any) -> Any:
    """A strict content security policy with a nonce per request (`request.csp_nonce`)."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: Any) -> HttpResponse:
            request.csp_nonce = secrets.token_urlsafe(16)
            return _secure(request, await get_response(request))

        return asynchronous

    def synchronous(request: Any) -> HttpResponse:
        request.csp_nonce = secrets.token_urlsafe(16)
        return _secure(request, get_response(request))

    return synchronous


_NUL = "cannot contain NUL"  # the driver's words before it sends; only a caller's text holds one


class DomainErrors(MiddlewareMixin):
    """What a room refuses becomes a page that says so, not a fault of ours, nor a blank one."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        answer = method_not_allowed(request)
        answer["allow"] = response["allow"]
        return answer

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, (ValueError, DataError)) and _NUL in str(exception):
            exception = BadRequest("A NUL character stands where text is expected")
        return domain_error(request, exception) if isinstance(exception, BrokleError) else None
