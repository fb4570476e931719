import asyncio
import ssl
from collections.abc import AsyncIterable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

from brokle.edge.egress.breaker import Breaker, BreakerBoard
from brokle.edge.egress.connection import Connection
from brokle.edge.egress.dialing import Connect, Dialer, connect_socket
from brokle.edge.egress.errors import CircuitOpen, DeadlinePassed, EgressRefused, UnableToConnect
from brokle.edge.egress.limits import DEFAULT_LIMITS, DEFAULT_POOL_LIMITS, Limits, PoolLimits
from brokle.edge.egress.policy import Policy
from brokle.edge.egress.pool import Pool
from brokle.edge.egress.redirects import MAX_REDIRECTS, is_redirect, next_hop
from brokle.edge.egress.request_head import Headers, Pairs, header_block, request_prefix
from brokle.edge.egress.response import Response
from brokle.edge.egress.tls import client_context
from brokle.edge.egress.urls import Origin, Url, parse_url
from brokle.kernel.errors import UpstreamFailed, UpstreamTimedOut
from brokle.kernel.tracing import tracer

Body = bytes | AsyncIterable[bytes] | None

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


class Target:
    """A method, a URL and fixed headers, checked and written out once; sending costs only what differs."""

    __slots__ = (
        "_bodiless",
        "_breaker",
        "_client",
        "_idempotent",
        "_method",
        "_pool",
        "_prefix",
        "_sends_length",
        "limits",
        "url",
    )

    def __init__(self, client: "EgressClient", method: str, url: Url, headers: Headers, limits: Limits) -> None:
        self.url = url
        self.limits = limits
        self._client = client
        self._method = method
        self._prefix = request_prefix(method, url, headers)
        self._pool = client.pool(url.origin)
        self._breaker = client.breaker(url.origin)
        self._idempotent = method in _IDEMPOTENT
        self._bodiless = method == "HEAD"
        self._sends_length = method not in _BODILESS

    def send(
        self,
        body: Body = None,
        headers: Pairs = (),
        *,
        limits: Limits | None = None,
        idempotent: bool | None = None,
    ) -> "Exchange":
        """For `async with`: the answer is open inside and closed after.

        `idempotent` says that the call may be repeated when a kept connection turns out to be dead; else the
        method decides.
        """
        return Exchange(self.open(body, headers, limits=limits, idempotent=idempotent))

    async def open(
        self,
        body: Body = None,
        headers: Pairs = (),
        *,
        limits: Limits | None = None,
        idempotent: bool | None = None,
    ) -> Response:
        """As `send`, for callers that read to the end or call `close()` themselves."""
        if tracer.is_on and tracer.current() is not None:
            return await self._traced(body, headers, limits, idempotent)
        return await self._guarded(body, headers, limits, idempotent)

    async def _traced(self, body: Body, headers: Pairs, limits: Limits | None, idempotent: bool | None) -> Response:
        """The span ends with the answer's head; the callee may go on with the trace."""
        with tracer.span(f"{self._method} {self.url.origin.host}") as span:
            span.set("http.request.method", self._method)
            span.set("server.address", self.url.origin.host)
            span.set("server.port", self.url.origin.port)
            onward = [*headers, ("traceparent", tracer.traceparent())]
            response = await self._guarded(body, onward, limits, idempotent)
            span.set("http.response.status_code", response.status)
            return response

    async def _guarded(self, body: Body, headers: Pairs, limits: Limits | None, idempotent: bool | None) -> Response:
        breaker = self._breaker
        if breaker is None:
            return await self._open(body, headers, limits or self.limits, idempotent)
        loop = asyncio.get_running_loop()
        if not breaker.allows(loop.time()):
            wait_s = breaker.retry_after_s(loop.time())
            raise CircuitOpen(f"{self.url.origin.host} failed repeatedly", retry_after_s=wait_s)
        try:
            response = await self._open(body, headers, limits or self.limits, idempotent)
        except (UpstreamFailed, UpstreamTimedOut):
            breaker.failed(loop.time())
            raise
        if response.status >= 500:
            breaker.failed(loop.time())
        else:
            breaker.succeeded(loop.time())
        return response

    async def _open(self, body: Body, headers: Pairs, limits: Limits, idempotent: bool | None) -> Response:
        head = self._prefix
        if headers:
            head += header_block(headers)
        pool = self._pool
        total_at = self._client.loop.time() + limits.total_s
        connection = pool.take() or await pool.obtain(min(limits.connect_s, limits.total_s))
        response = Response(self._client.loop, connection, limits, total_at, bodiless=self._bodiless)
        if body is None or isinstance(body, bytes):
            reused = connection.used > 0
            payload = self._payload(head, body)
            connection.send(response, payload)
            await response.arrival()
            if response.is_unanswered and reused and (self._idempotent if idempotent is None else idempotent):
                response = await self._repeat(payload, limits, total_at)
        else:
            connection.send(response, head + b"transfer-encoding: chunked\r\n\r\n")
            response.sender = asyncio.create_task(_send_chunks(connection, response, body))
            await response.arrival()
        if response.error is not None and not response.status:
            raise response.error
        return response

    async def _repeat(self, payload: bytes, limits: Limits, total_at: float) -> Response:
        connection = await self._pool.obtain(min(limits.connect_s, limits.total_s), fresh=True)
        response = Response(self._client.loop, connection, limits, total_at, bodiless=self._bodiless)
        connection.send(response, payload)
        await response.arrival()
        return response

    def _payload(self, head: bytes, body: bytes | None) -> bytes:
        if body is None:
            return head + (b"content-length: 0\r\n\r\n" if self._sends_length else b"\r\n")
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


async def _send_chunks(connection: Connection, response: Response, body: AsyncIterable[bytes]) -> None:
    try:
        async for piece in body:
            if piece:
                await connection.send_more(b"%x\r\n%b\r\n" % (len(piece), piece))
        await connection.send_more(b"0\r\n\r\n")
    except Exception as error:  # noqa: BLE001 - the body is the caller's; its error reaches the caller unchanged
        connection.abandon(response, error)


class Exchange:
    """One call as a context: whatever happens inside, nothing of it stays open after."""

    __slots__ = ("_opening", "_response")

    def __init__(self, opening: Coroutine[Any, Any, Response]) -> None:
        self._opening = opening
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        self._response = response = await self._opening
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            self._response.close()


class EgressClient:
    """The way out of Brokle for async code. Belongs to one event loop; make one per process and policy."""

    __slots__ = ("_breakers", "_closed", "_dialer", "_pool_limits", "_pools", "_tls", "limits", "loop")

    def __init__(
        self,
        policy: Policy,
        *,
        limits: Limits = DEFAULT_LIMITS,
        pool_limits: PoolLimits = DEFAULT_POOL_LIMITS,
        breakers: BreakerBoard | None = None,
        tls: ssl.SSLContext | None = None,
        connect: Connect = connect_socket,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self._dialer = Dialer(policy, connect)
        self._pool_limits = pool_limits
        self._breakers = breakers
        self._tls = tls
        self._closed = False
        # Connections and targets keep their pool alive; an origin nobody uses any more leaves by itself.
        self._pools: WeakValueDictionary[Origin, Pool] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def prepare(self, method: str, url: str, headers: Headers = (), *, limits: Limits | None = None) -> Target:
        """Check and write out once what many calls share. The address is still checked at every connect."""
        return Target(self, method, parse_url(url), headers, limits or self.limits)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = None,
        limits: Limits | None = None,
        redirects: int = 0,
        idempotent: bool | None = None,
    ) -> Exchange:
        """One call, for `async with`. Redirects are followed only when asked, and at most three."""
        return Exchange(self._request(method, url, headers, body, limits or self.limits, redirects, idempotent))

    async def _request(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: Body,
        limits: Limits,
        redirects: int,
        idempotent: bool | None,
    ) -> Response:
        ends_at = self.loop.time() + limits.total_s
        hops = min(redirects, MAX_REDIRECTS)
        for remaining in range(hops, -1, -1):
            response = await self.prepare(method, url, headers, limits=limits).open(body, idempotent=idempotent)
            if not redirects or not is_redirect(response):
                return response
            response.close()
            if remaining:
                hop = next_hop(method, url, headers, body, status=response.status, location=response.header("location"))
                method, url, headers, body = hop.method, hop.url, hop.headers, hop.body
                limits = self._left_of(limits, ends_at, url)
        raise EgressRefused(f"more than {hops} redirects")

    def _left_of(self, limits: Limits, ends_at: float, url: str) -> Limits:
        """The deadline of a call is one for all its hops."""
        left_s = ends_at - self.loop.time()
        if left_s <= 0:
            raise DeadlinePassed(parse_url(url).origin.host, "the whole answer", limits.total_s)
        return replace(limits, total_s=left_s)

    def pool(self, origin: Origin) -> Pool:
        if self._closed:
            raise UnableToConnect("the egress client is closed")
        pool = self._pools.get(origin)
        if pool is None:
            tls = None if origin.scheme == "http" else self._tls or client_context()
            pool = self._pools[origin] = Pool(origin, self._dialer, tls, self._pool_limits)
        return pool

    def breaker(self, origin: Origin) -> Breaker | None:
        return None if self._breakers is None else self._breakers.breaker(str(origin))

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.gather(*(pool.aclose() for pool in list(self._pools.values())))
