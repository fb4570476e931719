"""One request on the edge: parsed no further than needed, answered in as few messages as possible."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn

from brokle.edge.principal import Principal
from brokle.kernel.errors import BadRequest, TooLarge
from brokle.kernel.ids import new_id
from brokle.kernel.tracing import parse_traceparent, tracer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
Adorn = Callable[["Request"], list[Header]]
"""What a wire format says of every answer in headers of its own, read from ours."""

JSON: Header = (b"content-type", b"application/json")
_PREFETCH_MAX = 256 * 1024
DEFAULT_BODY_LIMIT = 32 * 1024 * 1024
_DRAINED_MAX = 128 * 1024 * 1024
"""So much of a body that is too large is still taken and thrown away: who is hung up on in the middle of sending
never reads why."""


class ClientGone(Exception):
    """The caller hung up; a state, not an error."""


class Request:
    __slots__ = (
        "_first",
        "_receive",
        "_send",
        "adorn",
        "extra_headers",
        "headers",
        "is_started",
        "method",
        "path",
        "principal",
        "request_id",
        "scope",
        "started_ns",
        "status",
    )

    principal: Principal

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started_ns = time.perf_counter_ns()
        self.scope = scope
        self._receive = receive
        self._first: Message | None = None
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = new_id("req")
        self.extra_headers: list[Header] = []
        self.adorn: Adorn | None = None
        self.is_started = False
        self.status = 0

    def log_fields(self) -> dict[str, str]:
        """Who and what a line is about; asked only when one is written."""
        fields = {"request_id": self.request_id}
        span = tracer.current()
        traceparent = parse_traceparent(self.headers.get(b"traceparent", b"").decode("latin-1"))
        if span is not None:
            fields["trace_id"] = span.trace_id
        elif traceparent is not None:
            fields["trace_id"] = traceparent[0]
        principal = getattr(self, "principal", None)
        if principal is not None:
            fields["organization_id"] = principal.organization_id
        return fields

    def elapsed_ms(self) -> float:
        return (time.perf_counter_ns() - self.started_ns) / 1e6

    async def prefetch(self) -> None:
        """A small body arrives while something else is on its way."""
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and 0 < int(declared) <= _PREFETCH_MAX:
            self._first = await self._receive()

    async def body(self, limit: int = DEFAULT_BODY_LIMIT) -> bytes:
        """All of it. Where its length is declared, the message that would only say "no more" is not waited for."""
        length = self.headers.get(b"content-length", b"")
        declared = int(length) if length.isdigit() else -1
        if declared > limit:
            await self.refuse_body(limit, is_over=declared > _DRAINED_MAX)
        message = self._first or await self._receive()
        self._first = None
        parts: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                parts.clear()
                await self.refuse_body(limit, is_over=not message.get("more_body"))
            parts.append(part)
            if size == declared or not message.get("more_body"):
                return part if len(parts) == 1 else b"".join(parts)
            message = await self._receive()

    async def refuse_body(self, limit: int, *, is_over: bool) -> NoReturn:
        """`is_over`: there is no more of it, or too much."""
        left = _DRAINED_MAX
        while left > 0 and not is_over:
            part, is_last = await self.body_part()
            left = 0 if is_last else left - len(part)
        raise TooLarge(f"The body may hold at most {limit} bytes")

    async def body_part(self) -> tuple[bytes, bool]:
        """The next piece as it arrives, and whether it is the last; for bodies that are passed on unread."""
        message = self._first or await self._receive()
        self._first = None
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message.get("body", b""), not message.get("more_body")

    async def gone(self) -> None:
        """Returns when the caller hangs up; for those who hold an upstream open meanwhile."""
        while (await self._receive())["type"] != "http.disconnect":
            continue

    def _last_headers(self) -> list[Header]:
        return self.extra_headers if self.adorn is None else [*self.extra_headers, *self.adorn(self)]

    async def reply(self, status: int, body: bytes, *headers: Header) -> None:
        self.is_started, self.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-length", str(len(body)).encode()),
                    (b"x-request-id", self.request_id.encode()),
                    *headers,
                    *self._last_headers(),
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, *headers: Header) -> None:
        self.is_started, self.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"x-request-id", self.request_id.encode()), *headers, *self._last_headers()],
            }
        )

    async def chunk(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def finish(self, body: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": body})

    def query(self) -> dict[str, str]:
        """The last value of each name; a query that is not valid percent-encoded UTF-8 is refused."""
        from urllib.parse import parse_qsl

        try:
            text = self.scope["query_string"].decode("ascii")
            return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=200))
        except ValueError as error:
            raise BadRequest("The query string is not valid") from error
