"""The data plane's one way in: find the endpoint, know the caller, take the limits, hand over."""

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter_ns

from brokle.edge import protocols
from brokle.edge.http import JSON, Adorn, ClientGone, Header, Receive, Request, Scope, Send
from brokle.edge.key_use import KeyUse
from brokle.edge.limits import Limiter, UnableToCheckLimits, Verdict
from brokle.edge.meters import EndpointMeter
from brokle.edge.passes import SENT, Passes
from brokle.edge.principal import Keys, Principal, admit
from brokle.edge.protocols import ErrorShape
from brokle.kernel.errors import BrokleError, NotFound, RateLimited
from brokle.kernel.log import context
from brokle.kernel.tracing import SERVER, tracer

log = logging.getLogger("brokle.edge")

Handler = Callable[[Request], Awaitable[None]]


class MethodNotAllowed(BrokleError):
    code, status, title = "method_not_allowed", 405, "This address does not take that method"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An edge route. `scope` empty means open to all; a path that ends in `/` answers everything below it."""

    path: str
    handle: Handler
    scope: str
    error_shape: ErrorShape = protocols.problem
    methods: frozenset[str] = field(default=frozenset({"POST"}))
    is_traced: bool = True
    meters_itself: bool = False
    """Whether the handler takes the limits of metered keys, which depend on what the body asks for."""
    adorn: Adorn | None = None
    shape_of: Callable[[Request], ErrorShape] | None = None
    """Where two wire formats share an address, the shape of this call's errors."""

    def shape(self, request: Request) -> ErrorShape:
        return self.error_shape if self.shape_of is None else self.shape_of(request)


class Dispatch:
    def __init__(
        self,
        keys: Keys,
        limiter: Limiter,
        key_use: KeyUse,
        endpoints: list[Endpoint],
        *,
        passes: Passes | None = None,
        logs_access: bool = False,
    ) -> None:
        self._keys = keys
        self._passes = passes
        self._key_use = key_use
        self._limiter = limiter
        self._logs_access = logs_access
        self._meters = {endpoint.path: EndpointMeter(endpoint.path) for endpoint in endpoints}
        self._exact = {e.path: e for e in endpoints if not e.path.endswith("/")}
        self._below = tuple((e.path, e) for e in endpoints if e.path.endswith("/"))

    def find(self, path: str) -> Endpoint | None:
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, endpoint in self._below:
            if path.startswith(prefix):
                return endpoint
        return None

    async def serve(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        request.adorn = endpoint.adorn
        token = context.set(request)
        try:
            if tracer.is_on and endpoint.is_traced:
                await self._traced(endpoint, request)
            else:
                await self._admit(request, endpoint)
                await endpoint.handle(request)
        except ClientGone:
            pass
        except BrokleError as error:
            await answer_error(request, error, endpoint.shape(request))
        except Exception as error:
            log.exception("edge failure", exc_info=error)
            await answer_error(request, BrokleError(), endpoint.shape(request))
        finally:
            self._meters[endpoint.path].answered(request.status, perf_counter_ns() - request.started_ns)
            if self._logs_access:
                log.info("answered", extra=access_fields(request, endpoint))
            context.reset(token)

    async def _traced(self, endpoint: Endpoint, request: Request) -> None:
        parent = request.headers.get(b"traceparent", b"").decode("latin-1")
        with tracer.begin(f"{request.method} {endpoint.path}", SERVER, parent) as span:
            span.set("http.request.method", request.method)
            span.set("http.route", endpoint.path)
            span.set("brokle.request_id", request.request_id)
            try:
                await self._admit(request, endpoint)
                await endpoint.handle(request)
            except BrokleError as error:
                span.set("http.response.status_code", request.status or error.status)
                span.fail(error.code if error.status >= 500 else "")
                await answer_error(request, error, endpoint.shape(request))
            else:
                span.set("http.response.status_code", request.status)

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For a process without the control plane."""
        request = Request(scope, receive, send)
        await answer_error(request, NotFound("This process serves the data plane only"), protocols.problem)

    async def _admit(self, request: Request, endpoint: Endpoint) -> None:
        if request.method not in endpoint.methods:
            raise MethodNotAllowed(f"Use {', '.join(sorted(endpoint.methods))}")
        if not endpoint.scope:
            return
        principal = request.principal = self._caller(request, endpoint.scope)
        self._key_use.seen.add(principal.key_id)
        if principal.whereabouts is not None:
            principal.whereabouts.check(request.scope.get("client"), request.headers)
        if not principal.packed_limits or (endpoint.meters_itself and principal.is_metered):
            return
        try:
            asked = self._limiter.ask(principal.packed_limits)
            await request.prefetch()
            verdict = await self._limiter.verdict(asked, principal.packed_limits)
        except UnableToCheckLimits as error:
            self._limiter.without_redis.check(error, has_hard_budget=False)
            return
        headers = rate_headers(principal.requests_per_minute, verdict)
        request.extra_headers.extend(headers)
        if not verdict.allowed:
            self._meters[endpoint.path].refused()
            raise RateLimited(
                f"This key may send {principal.requests_per_minute} requests a minute",
                retry_after_s=verdict.retry_after_ms / 1000,
            )

    def _caller(self, request: Request, scope: str) -> Principal:
        """A program by its key, or a person of the console by their pass."""
        passes = self._passes
        if passes is None or not request.headers.get(b"authorization", b"").startswith(SENT):
            return self._keys.authenticate(request.headers, scope)
        sent = request.scope["headers"]
        return admit(request.headers, scope, lambda token: passes.find(token, sent) or self._keys.find(token))


def access_fields(request: Request, endpoint: Endpoint) -> dict[str, str | int | float]:
    """The route, not the address: what a caller wrote there stays out of the log."""
    return {
        "method": request.method,
        "route": endpoint.path,
        "status": request.status or 499,
        "ms": round(request.elapsed_ms(), 3),
    }


def rate_headers(amount: int, verdict: Verdict, place: int = 0, unit: bytes = b"requests") -> list[Header]:
    """OpenAI's form, for the limit at this place of the verdict."""
    remaining = max(0, verdict.remaining[place])
    return [
        (b"x-ratelimit-limit-" + unit, b"%d" % amount),
        (b"x-ratelimit-remaining-" + unit, b"%d" % remaining),
        (b"x-ratelimit-reset-" + unit, b"%.3fs" % (verdict.reset_ms[place] / 1000)),
    ]


async def answer_error(request: Request, error: BrokleError, shape: ErrorShape) -> None:
    """A response already under way cannot change its status; its handler ends it in its own way."""
    if request.is_started:
        return
    headers = [(b"content-type", b"application/problem+json") if shape is protocols.problem else JSON]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
        headers.append((b"retry-after-ms", b"%d" % max(1, math.ceil(error.retry_after_s * 1000))))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="brokle"'))
    await request.reply(error.status, shape(error, request.request_id), *headers)
