"""Streams for callers who did not ask for events: the same answers, as the elements of one JSON list."""

from typing import Final

from apps.routing.edge.dialects.sse import Events
from brokle.edge.http import DEFAULT_BODY_LIMIT, JSON, Header, Message, Request

_TYPE: Final = b"content-type"


class Listed(Request):
    """A caller whose events become elements; comments that keep a silent stream alive become line breaks."""

    __slots__ = ("_events", "_has_begun", "_request")

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, _elsewhere, _nowhere)
        self.principal, self.request_id = request.principal, request.request_id
        self.extra_headers, self.adorn = request.extra_headers, request.adorn
        self.started_ns = request.started_ns
        self._request = request
        self._events = Events()
        self._has_begun = False

    async def prefetch(self) -> None:
        await self._request.prefetch()

    async def body(self, limit: int = DEFAULT_BODY_LIMIT) -> bytes:
        return await self._request.body(limit)

    async def gone(self) -> None:
        await self._request.gone()

    async def reply(self, status: int, body: bytes, *headers: Header) -> None:
        self.is_started, self.status = True, status
        await self._request.reply(status, body, *headers)

    async def start(self, status: int, *headers: Header) -> None:
        self.is_started, self.status = True, status
        await self._request.start(status, JSON, *(header for header in headers if header[0] != _TYPE))

    async def chunk(self, body: bytes) -> None:
        await self._request.chunk(self._elements(body) or b"\n")

    async def finish(self, body: bytes = b"") -> None:
        last = self._elements(body)
        await self._request.finish(last + (b"]" if self._has_begun else b"[]"))

    def _elements(self, body: bytes) -> bytes:
        out = b""
        for _, data in self._events.feed(body):
            out += (b",\r\n" if self._has_begun else b"[") + data
            self._has_begun = True
        return out


async def _elsewhere() -> Message:
    raise NotImplementedError


async def _nowhere(message: Message) -> None:
    raise NotImplementedError
