"""One caller's connection: bytes to requests, one answer after the other."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

from brokle.edge import protocols
from brokle.edge.http import Header, Scope
from brokle.edge.listener.exchange import Exchange
from brokle.edge.listener.heads import Head
from brokle.edge.listener.websocket import WebSocket
from brokle.kernel.errors import BadRequest, BrokleError, Unavailable
from brokle.kernel.ids import new_id

if TYPE_CHECKING:
    from brokle.edge.listener.listener import Listener

_HEAD_MAX: Final = 64 * 1024
_HEADERS_MAX: Final = 128
_AHEAD_MAX: Final = 128
"""So many requests may be sent before the first is answered; a packet could hold ten thousand."""
_THROWN_AWAY_MAX: Final = 1024 * 1024
_OFFER: Final = frozenset({b"upgrade", b"http2-settings", b"connection"})
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}

HEAD_S: Final = 30.0
IDLE_S: Final = 75.0
"""Longer than the load balancers of the field keep theirs, so that they hang up and not we."""
BODY_S: Final = 60.0
_LINGER_S: Final = 5.0
TAKEN_S: Final = 120.0
"""What was written last has so long to be read; then it is dropped with its reader."""


class HeadTooLarge(BrokleError):
    code, status, title = "head_too_large", 431, "The head of the request is too large"


class TooSlow(BrokleError):
    code, status, title = "too_slow", 408, "The request did not arrive in time"


class Connection(asyncio.Protocol):
    __slots__ = (
        "_client",
        "_current",
        "_expects_continue",
        "_head_since",
        "_head_size",
        "_headers",
        "_heard_at",
        "_holds",
        "_hosts",
        "_incoming",
        "_lingers_until",
        "_listener",
        "_next",
        "_parser",
        "_refusal",
        "_server",
        "_socket",
        "_thrown_away",
        "_transport",
        "_undrained",
        "_upgrading",
        "_url",
        "date",
        "is_full",
        "is_last",
        "loop",
    )

    _transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self.loop = listener.loop
        self.date = listener.clock.line
        self._parser = HttpRequestParser(self)
        self._headers: list[Header] = []
        self._url = b""
        self._hosts = self._head_size = self._holds = self._thrown_away = 0
        self._expects_continue = False
        self._current: Exchange | None = None
        self._incoming: Exchange | None = None
        self._next: deque[Exchange] = deque()
        self._upgrading: Scope | None = None
        self._socket: WebSocket | None = None
        self._refusal: BrokleError | None = None
        self._undrained: list[asyncio.Future[None]] = []
        self._heard_at = self._head_since = self.loop.time()
        self._lingers_until = 0.0
        self.is_full = False
        self.is_last = False
        """Whether the answer under way is the connection's last one."""

    # What the transport tells

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        if not self._listener.welcomes(self):
            self._refuse(Unavailable("Too many connections", retry_after_s=1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.lost(self)
        for exchange in (self._current, *self._next):
            if exchange is not None:
                exchange.leave()
        self._current = self._incoming = None
        self._next.clear()
        if self._socket is not None:
            self._socket.lost()
        self.resume_writing()
        del self._parser  # it holds our methods, and so us

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        waiting, self._undrained = self._undrained, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if self._socket is not None:
            self._socket.take(data)
        elif self._lingers_until:
            self._throw_away(len(data))
        elif self._refusal is None:
            self._parse(data)

    # What the parser tells

    def on_message_begin(self) -> None:
        """Trailers of the former request may stand among the headers."""
        self._headers, self._url, self._hosts = [], b"", 0

    def on_url(self, part: bytes) -> None:
        self._url = self._url + part if self._url else part

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        parser = self._parser
        version: str = parser.get_http_version()
        self._check_head(version)
        scope = self._scope(version)
        if parser.should_upgrade():
            self._upgrading = self._tunnels_refused(scope)
            return
        exchange = self._incoming = Exchange(self, scope)
        exchange.is_modern = version == "1.1"
        exchange.keeps_alive = parser.should_keep_alive()
        if self._expects_continue:
            exchange.expects_continue, self._expects_continue = exchange.is_modern, False
        if self._current is None:
            self._begin(exchange)
        else:
            self._put_behind(exchange)

    def on_body(self, part: bytes) -> None:
        if self._incoming is not None:
            self._incoming.take(part)

    def on_message_complete(self) -> None:
        if self._incoming is not None:
            self._incoming.complete()
            self._incoming = None

    # Requests

    @property
    def is_under_way(self) -> bool:
        return self._current is not None or self._head_size > 0

    def _parse(self, data: bytes) -> None:
        if self._incoming is None:
            if not self._head_size:
                self._head_since = self._heard_at
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except HttpParserError:
            self._misunderstand(self._refusal or BadRequest("This is not HTTP as we know it"))
        else:
            if self._head_size > _HEAD_MAX and self._incoming is None:
                self._misunderstand(HeadTooLarge())

    def _check_head(self, version: str) -> None:
        """What is raised in here ends the parsing."""
        size, self._head_size = self._head_size, 0
        if len(self._headers) > _HEADERS_MAX:
            self._refusal = HeadTooLarge(f"A request may have {_HEADERS_MAX} headers")
        elif size > _HEAD_MAX and len(self._url) + sum(len(a) + len(b) for a, b in self._headers) > _HEAD_MAX:
            self._refusal = HeadTooLarge()
        elif self._hosts > 1 or (not self._hosts and version == "1.1"):
            self._refusal = BadRequest("A request names its host, once")
        if self._refusal is not None:
            raise self._refusal

    def _tunnels_refused(self, scope: Scope) -> Scope:
        if scope["method"] == "CONNECT":
            self._refusal = BadRequest("This is no proxy")
            raise self._refusal
        return scope

    def _scope(self, version: str) -> Scope:
        url = self._url if self._url.startswith(b"/") else _origin_form(self._url)
        raw_path, _, query = url.partition(b"?")
        path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": self._parser.get_method().decode(),
            "scheme": "http",
            "path": path.decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
        }

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        self._listener.running.add(exchange)
        exchange.task = self.loop.create_task(exchange.run(self._listener.application))

    def _put_behind(self, exchange: Exchange) -> None:
        if len(self._next) == _AHEAD_MAX:
            self._incoming, self._refusal = None, BadRequest("Too many requests were sent ahead")
            raise self._refusal
        if not self._next:
            self.hold()
        self._next.append(exchange)

    def _misunderstand(self, refusal: BrokleError) -> None:
        """Requests before this one are still answered."""
        self._refusal = refusal
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming is self._current:
            self._cut_off(incoming, refusal)
        elif self._current is None:
            self._refuse(refusal)
        elif incoming is not None:
            self._next.remove(incoming)

    def _cut_off(self, exchange: Exchange, refusal: BrokleError) -> None:
        self._current = None
        exchange.leave()
        if exchange.is_started:
            self._transport.abort()
        else:
            self._refuse(refusal)

    # Answers

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        """Waits until the caller has taken what was written."""
        future = self.loop.create_future()
        self._undrained.append(future)
        await future

    def hold(self) -> None:
        self._holds += 1
        if self._holds == 1:
            self._transport.pause_reading()

    def release(self) -> None:
        self._holds = max(0, self._holds - 1)
        if self._holds == 0 and not self._transport.is_closing():
            self._transport.resume_reading()

    def answered(self, exchange: Exchange, *, keeps_alive: bool) -> None:
        self._current = None
        self._heard_at = self.loop.time()
        if not exchange.is_whole:
            self._linger()
        elif not keeps_alive or self.is_last:
            self._transport.close()
        elif self._next:
            following = self._next.popleft()
            if not self._next:
                self.release()
            self._begin(following)
        elif self._refusal is not None:
            self._refuse(self._refusal)

    def ended(self, exchange: Exchange) -> None:
        """The application is done; without an answer, that is a fault of ours."""
        if not exchange.is_answered and not exchange.is_gone:
            self._cut_off(exchange, BrokleError())
        self._listener.ended(exchange)

    def _refuse(self, error: BrokleError) -> None:
        body = protocols.problem(error, new_id("req"))
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after_s))
        self.write(Head(error.status, headers, self.date(), keeps_alive=False).content + body)
        self._linger()

    # The end

    def _linger(self) -> None:
        """Whoever is still sending would lose our answer if we hung up on them."""
        if self._transport.is_closing():
            return
        self._lingers_until = self.loop.time() + _LINGER_S
        self._incoming = None
        if self._holds:
            self._holds = 0
            self._transport.resume_reading()
        self._transport.write_eof()

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > _THROWN_AWAY_MAX:
            self._transport.close()

    def sweep(self, now: float) -> None:
        """Ends what takes too long; called once a second."""
        if self._lingers_until:
            if now > self._lingers_until:
                self._transport.abort()
        elif self._transport.is_closing():
            self._lingers_until = now + TAKEN_S
        elif self._current is not None:
            if self._current.is_awaited and now - self._heard_at > BODY_S:
                self._misunderstand(TooSlow())
        elif self._head_size:
            if now - self._head_since > HEAD_S:
                self._misunderstand(TooSlow())
        elif self._socket is None and now - self._heard_at > IDLE_S:
            self._transport.close()

    def go_away(self) -> None:
        """No more requests are taken; the one under way is answered."""
        self.is_last = True
        if self._socket is not None:
            self._socket.go_away()
        elif self._current is None:
            self._transport.close()

    # Other protocols

    def _upgrade(self, rest: bytes) -> None:
        """The parser takes nothing more for HTTP; what is no websocket is said to a new one without the offer."""
        scope, self._upgrading = self._upgrading, None
        assert scope is not None  # noqa: S101 - set with the head, which comes first
        offers = {value.lower() for name, value in scope["headers"] if name == b"upgrade"}
        if self._current is not None or offers != {b"websocket"}:
            self._parser = HttpRequestParser(self)
            self._parse(_without_offer(scope) + rest)
            return
        self._socket = WebSocket(self, scope)
        self._listener.running.add(self._socket)
        self._socket.open(self._listener.application)
        if rest:
            self._socket.take(rest)

    def close(self) -> None:
        self._transport.close()

    def abort_after(self, seconds: float) -> None:
        self._lingers_until = self._lingers_until or self.loop.time() + seconds

    def socket_ended(self, socket: WebSocket) -> None:
        self._listener.ended(socket)


def _without_offer(scope: Scope) -> bytes:
    url = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    kept = [b"%b: %b\r\n" % header for header in scope["headers"] if header[0] not in _OFFER]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (scope["method"].encode(), url, scope["http_version"].encode(), b"".join(kept))


def _address(name: Any) -> tuple[str, int] | None:
    """IPv6 says more than address and port; a unix socket has neither."""
    return (name[0], name[1]) if isinstance(name, tuple) else None


def _origin_form(url: bytes) -> bytes:
    """Proxies may send the whole address."""
    try:
        parsed = parse_url(url)
    except HttpParserError:
        return url
    path: bytes = parsed.path or b"/"
    return path + b"?" + parsed.query if parsed.query else path
