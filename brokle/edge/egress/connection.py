import asyncio
import math
from typing import TYPE_CHECKING, cast

import httptools

from brokle.edge.egress.errors import (
    AnswerTooLarge,
    ClosedBeforeAnswer,
    DeadlinePassed,
    UpstreamBroken,
)
from brokle.edge.egress.response import RawHeaders, Response
from brokle.kernel.errors import BrokleError

if TYPE_CHECKING:
    from brokle.edge.egress.pool import Pool


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: at most one request on its way, parsed by llhttp as its bytes arrive.

    A single timer serves every deadline of its life. It is armed for the earliest moment anything may be due
    and looks again when it fires, so that a request costs no timer of its own.
    """

    __slots__ = (
        "_can_write",
        "_deadline",
        "_finished",
        "_headers",
        "_informational",
        "_keep_alive",
        "_loop",
        "_parser",
        "_pool",
        "_response",
        "_silent_bytes",
        "_surplus",
        "_timer",
        "_timer_at",
        "_transport",
        "expires_at",
        "host",
        "idle_s",
        "is_open",
        "used",
    )

    def __init__(self, pool: "Pool", loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._response: Response | None = None
        self._headers: RawHeaders = []
        self._silent_bytes = 0
        self._finished = False
        self._informational = False
        self._keep_alive = False
        self._surplus = False
        self._can_write: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self.expires_at = loop.time() + pool.limits.lifetime_s
        self.host = pool.origin.host
        self.idle_s = pool.limits.idle_s
        self.is_open = False
        self.used = 0

    # The client's side.

    def send(self, response: Response, payload: bytes) -> None:
        self._response = response
        self._silent_bytes = 0
        self.used += 1
        self.expect(self._loop.time() + response.limits.first_byte_s)
        self._transport.write(payload)

    async def send_more(self, data: bytes) -> None:
        """A further piece of a streamed body; waits while the peer does not take what it was given."""
        response = self._response
        if response is None:
            return
        self._transport.write(data)
        if self._can_write is not None:
            await self._can_write
        if not response.status:
            self.expect(self._loop.time() + response.limits.first_byte_s)

    def abandon(self, response: Response, error: Exception | None = None) -> None:
        if self._response is response:
            self._end(error or UpstreamBroken("the call was given up"))

    def abort(self) -> None:
        self._end(UpstreamBroken(f"the connection to {self.host} was closed"))

    def hold(self) -> None:
        if self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.is_open:
            self._transport.resume_reading()

    def expect(self, at: float) -> None:
        """Something has to happen until then; an answer under way has its total deadline besides."""
        response = self._response
        if response is not None and response.total_at < at:
            at = response.total_at
        self._deadline = at
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._on_timer)
            self._timer_at = at

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by shape only
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            # Bytes that no request asked for must never be taken for the answer to the next one.
            self.abort()
            return
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._misparsed(error)
            return
        if self._finished:
            self._finish(response)
        elif self._silent_bytes > response.limits.header_bytes:
            self._end(AnswerTooLarge(f"the headers of {self.host} exceed {response.limits.header_bytes} bytes"))

    def pause_writing(self) -> None:
        self._can_write = self._loop.create_future()

    def resume_writing(self) -> None:
        waiter, self._can_write = self._can_write, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        response = self._response
        if response is not None:
            if exc is None and self._ends_with_connection(response):
                response.finish()
            self._end(self._loss(response))
        self._dispose()
        self._pool.forget(self)

    # llhttp's side.

    def on_message_begin(self) -> None:
        if self._finished:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        headers.append((name, value))
        response = self._response
        if response is not None and len(headers) > response.limits.header_count:
            raise AnswerTooLarge(f"{self.host} sent more than {response.limits.header_count} headers")

    def on_headers_complete(self) -> None:
        response = self._response
        if response is None or self._finished:
            return
        status = self._parser.get_status_code()
        headers = self._headers
        if status < 200:
            self._informational = True
            headers.clear()
            return
        if self._silent_bytes > response.limits.header_bytes:
            self._check_header_bytes(headers, response)
        self._headers = response.trailers
        response.begin(status, headers)
        if response.bodiless:
            self._finished = True
            self._keep_alive = _keeps_alive_without_body(self._parser, headers)

    def on_body(self, chunk: bytes) -> None:
        self._silent_bytes = 0
        response = self._response
        if response is None or self._finished:
            self._surplus = True
            return
        response.receive(chunk)

    def on_message_complete(self) -> None:
        if self._informational:
            self._informational = False
            return
        if not self._finished:
            self._finished = True
            self._keep_alive = self._parser.should_keep_alive()

    # Inside.

    def _finish(self, response: Response) -> None:
        self._finished = False
        self._headers = []
        self._response = None
        sender = response.sender
        if self._surplus or not self._keep_alive or not self.is_open or not (sender is None or sender.done()):
            self._close()
            if sender is not None:
                sender.cancel()
            response.finish()
            return
        if self.used == 1:
            self._heed_keep_alive_hint(response.header("keep-alive"))
        if response.bodiless:
            # llhttp still waits for the body that an answer to HEAD announces and never has.
            self._parser = httptools.HttpResponseParser(self)
        response.finish()
        self.expect(self._loop.time() + self.idle_s)
        self._pool.release(self)

    def _heed_keep_alive_hint(self, hint: str) -> None:
        """Leave before the server does: one second less than it says, else it may close while we write."""
        for part in hint.split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "timeout" and value.isdecimal():
                self.idle_s = min(self.idle_s, max(float(value) - 1.0, 0.0))

    def _misparsed(self, error: Exception) -> None:
        response = self._response
        if response is not None and self._finished:
            # The answer itself is whole; what follows it is not HTTP.
            self._surplus = True
            self._finish(response)
            return
        cause = error.__context__
        self._end(cause if isinstance(cause, BrokleError) else UpstreamBroken(f"{self.host} does not speak HTTP/1.1"))

    @staticmethod
    def _check_header_bytes(headers: RawHeaders, response: Response) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if size > response.limits.header_bytes:
            raise AnswerTooLarge(f"the headers exceed {response.limits.header_bytes} bytes")

    @staticmethod
    def _ends_with_connection(response: Response) -> bool:
        if not response.status:
            return False
        framing = response.header("transfer-encoding").lower()
        if framing:
            return framing.rpartition(",")[2].strip() != "chunked"
        return not response.header("content-length")

    def _loss(self, response: Response) -> BrokleError:
        if response.status:
            return UpstreamBroken(f"{self.host} closed the connection after {response.received} bytes of the body")
        if self._silent_bytes:
            return UpstreamBroken(f"{self.host} closed the connection within its headers")
        return ClosedBeforeAnswer(f"{self.host} closed the connection without an answer")

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        now = self._loop.time()
        if now < self._deadline:
            if self._deadline is not math.inf:
                self.expect(self._deadline)
            return
        response = self._response
        if response is None:
            self._close()
        else:
            self._end(self._lateness(response, now))

    def _lateness(self, response: Response, now: float) -> DeadlinePassed:
        limits = response.limits
        if now >= response.total_at:
            return DeadlinePassed(self.host, "the whole answer", limits.total_s)
        if response.status:
            return DeadlinePassed(self.host, "the next part of the answer", limits.idle_s)
        return DeadlinePassed(self.host, "the start of the answer", limits.first_byte_s)

    def _end(self, error: Exception) -> None:
        response, self._response = self._response, None
        self._close()
        if response is not None:
            if response.sender is not None:
                response.sender.cancel()
            response.fail(error)

    def _close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.abort()
        self.resume_writing()

    def _dispose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # The parser holds the protocol: without this, every connection would wait for the cycle collector.
        del self._parser


def _keeps_alive_without_body(parser: httptools.HttpResponseParser, headers: RawHeaders) -> bool:
    options = b",".join(value.lower() for name, value in headers if name.lower() == b"connection")
    return parser.get_http_version() == "1.1" and b"close" not in options
