"""A proxy on loopback for what brings its own HTTP client: SDKs and git, pointed here by `https_proxy`.

It applies the same policy and pinning as everything else and only lets TLS through a CONNECT tunnel.
"""

import asyncio
import base64
import contextlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from brokle.edge.egress.dialing import Connect, Dialer, connect_socket
from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.policy import Policy
from brokle.edge.egress.urls import Url, parse_url
from brokle.kernel.errors import BrokleError

_HEAD_BYTES = 16 * 1024
_PIECE = 64 * 1024
_LINGER_S = 1.0
_TLS_HANDSHAKE = 0x16
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    407: "Proxy Authentication Required",
    503: "Service Unavailable",
}
_HEADER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00\r\n]*\Z")
_AUTHORITY = re.compile(r"[^/?#@]+:[0-9]{1,5}\Z")
_NOT_FORWARDED = frozenset(
    (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive", b"host", b"te", b"upgrade")
)


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    head_s: float = 10.0
    connect_s: float = 10.0
    idle_s: float = 120.0
    total_s: float = 3600.0
    tunnels: int = 256


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: list[tuple[bytes, bytes]]

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")


class _Refusal(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ConnectProxy:
    """Random port, random password: only who was handed `url` by this process can use it."""

    def __init__(self, policy: Policy, *, limits: ProxyLimits | None = None, connect: Connect = connect_socket) -> None:
        self._dialer = Dialer(policy, connect)
        self._limits = limits or ProxyLimits()
        self._password = secrets.token_urlsafe(24)
        self._expected = b"Basic " + base64.b64encode(f"brokle:{self._password}".encode())
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The value for `https_proxy` and `http_proxy` of one child process or SDK client; it is a secret."""
        if self._server is None:
            raise RuntimeError("the proxy is not started")
        port = self._server.sockets[0].getsockname()[1]
        return f"http://brokle:{self._password}@127.0.0.1:{port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)

    async def aclose(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            # The proxy ends; asyncio's streams would log a cancelled handler as an error.
            writer.transport.abort()
        except (OSError, EOFError):
            # Either side went away or stayed silent; there is nobody left to tell.
            writer.transport.abort()
        else:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request, url = await self._admitted(reader)
            sock = await self._dialer.dial(url.origin, timeout_s=self._limits.connect_s)
        except _Refusal as refusal:
            await _answer(reader, writer, refusal.status, refusal.reason)
            return
        except BrokleError as error:
            status = 403 if isinstance(error, EgressRefused) else error.status
            await _answer(reader, writer, status, error.detail)
            return
        up_reader, up_writer = await asyncio.open_connection(sock=sock)
        try:
            if request.method == "CONNECT":
                await self._open_tunnel(reader, writer, up_writer)
            else:
                up_writer.write(_origin_form(request, url))
            await self._relay((reader, up_writer), (up_reader, writer))
        finally:
            up_writer.transport.abort()

    async def _admitted(self, reader: asyncio.StreamReader) -> tuple[_Request, Url]:
        if len(self._tasks) > self._limits.tunnels:
            raise _Refusal(503, "too many connections through the proxy")
        async with asyncio.timeout(self._limits.head_s):
            request = await _read_head(reader)
        if not hmac.compare_digest(request.header(b"proxy-authorization"), self._expected):
            raise _Refusal(407, "the proxy needs the credentials of its process")
        return request, _requested(request)

    async def _open_tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up_writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.timeout(self._limits.idle_s):
            first = await reader.read(_PIECE)
        if not first or first[0] != _TLS_HANDSHAKE:
            raise ConnectionAbortedError("a tunnel carries TLS")
        up_writer.write(first)

    async def _relay(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        loop = asyncio.get_running_loop()
        moved_at = loop.time()

        def idle_s() -> float:
            return loop.time() - moved_at

        def moved() -> None:
            nonlocal moved_at
            moved_at = loop.time()

        copies = [asyncio.create_task(self._copy(reader, writer, moved, idle_s)) for reader, writer in ways]
        try:
            await asyncio.gather(*copies)
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        moved: Callable[[], None],
        idle_s: Callable[[], float],
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    data = await reader.read(_PIECE)
            except TimeoutError:
                if idle_s() < self._limits.idle_s:
                    continue
                return
            if not data:
                break
            moved()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


async def _read_head(reader: asyncio.StreamReader) -> _Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _Refusal(400, f"the head of the request exceeds {_HEAD_BYTES} bytes") from None
    line, *rows = head[:-4].split(b"\r\n")
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or parts[2] not in {"HTTP/1.1", "HTTP/1.0"} or not all(map(_HEADER_LINE.match, rows)):
        raise _Refusal(400, "the request is not HTTP/1.1")
    headers = [(name, value.strip()) for name, _, value in (row.partition(b":") for row in rows)]
    return _Request(parts[0], parts[1], headers)


def _requested(request: _Request) -> Url:
    if request.method != "CONNECT":
        if not request.target.startswith("http://"):
            raise _Refusal(400, "https goes through CONNECT, http by its whole URL")
        return parse_url(request.target)
    if not _AUTHORITY.match(request.target):
        raise _Refusal(400, "CONNECT needs host:port")
    return parse_url(f"https://{request.target}")


def _origin_form(request: _Request, url: Url) -> bytes:
    lines = [f"{request.method} {url.target} HTTP/1.1\r\nhost: {url.origin.authority}\r\n".encode()]
    lines += [b"%b: %b\r\n" % pair for pair in request.headers if pair[0].lower() not in _NOT_FORWARDED]
    return b"".join(lines) + b"connection: close\r\n\r\n"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, reason: str) -> None:
    body = f"{reason}\n".encode()
    challenge = 'proxy-authenticate: Basic realm="brokle"\r\n' if status == 407 else ""
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Bad Gateway')}\r\n{challenge}"
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    writer.write_eof()
    # Closing over bytes that were not read would send a reset, and the reset could overtake the answer.
    async with asyncio.timeout(_LINGER_S):
        while await reader.read(_PIECE):
            pass
