"""One request and its answer, as an ASGI application sees them."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from brokle.edge.http import Message, Scope
from brokle.edge.listener.heads import CONTINUE, Head

if TYPE_CHECKING:
    from brokle.edge.listener.connection import Connection

log = logging.getLogger("brokle.edge")

_GONE: Final[Message] = {"type": "http.disconnect"}
_HELD_MAX: Final = 256 * 1024
"""More of a body than this waits in the caller's socket until the application takes it."""


class Exchange:
    __slots__ = (
        "_connection",
        "_head",
        "_held",
        "_is_told",
        "_parts",
        "_unsaid",
        "_waiting",
        "expects_continue",
        "is_answered",
        "is_gone",
        "is_holding",
        "is_modern",
        "is_whole",
        "keeps_alive",
        "scope",
        "task",
    )

    def __init__(self, connection: "Connection", scope: Scope) -> None:
        self._connection = connection
        self.scope = scope
        self._parts: list[bytes] = []
        self._held = 0
        self._waiting: asyncio.Future[None] | None = None
        self._head: Head | None = None
        self._unsaid = b""
        self.is_holding = self._is_told = self.is_whole = self.is_gone = self.is_answered = False
        self.is_modern = self.keeps_alive = True
        self.expects_continue = False
        self.task: asyncio.Task[None] | None = None

    @property
    def is_started(self) -> bool:
        """Whether the caller has read a status."""
        return self._head is not None and not self._unsaid

    def take(self, part: bytes) -> None:
        """The next piece of the request's body."""
        if self.is_answered or self.is_gone:
            return
        self._parts.append(part)
        self._held += len(part)
        if self._held > _HELD_MAX and not self.is_holding:
            self.is_holding = True
            self._connection.hold()
        self._wake()

    def complete(self) -> None:
        self.is_whole = True
        self._wake()

    def leave(self) -> None:
        """The caller is gone: what came is still worth reading, no answer is."""
        self.is_gone = True
        self._wake()

    @property
    def is_awaited(self) -> bool:
        """Whether the application waits for more of the body."""
        return self._waiting is not None and not self.is_whole

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def run(self, application: Any) -> None:
        try:
            await application(self.scope, self.receive, self.send)
        except Exception as error:
            log.exception("application failed", exc_info=error)
        finally:
            self._connection.ended(self)

    async def receive(self) -> Message:
        while True:
            if self._parts or (self.is_whole and not self._is_told):
                return self._next_part()
            if self.is_gone or self.is_answered:
                return _GONE
            if self.expects_continue and not self.is_whole:
                self.expects_continue = False
                self._connection.write(CONTINUE)
            self._waiting = self._connection.loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def _next_part(self) -> Message:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._let_go()
        self._is_told = self.is_whole
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    def _let_go(self) -> None:
        self._parts, self._held = [], 0
        if self.is_holding:
            self.is_holding = False
            self._connection.release()

    async def send(self, message: Message) -> None:
        if self.is_gone or self.is_answered:
            return
        if message["type"] == "http.response.body":
            self._write(message.get("body", b""), is_last=not message.get("more_body"))
            if self._connection.is_full:
                await self._connection.drain()
        elif message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))

    def _start(self, status: int, headers: Any) -> None:
        connection = self._connection
        self._head = head = Head(
            status,
            headers,
            connection.date(),
            is_modern=self.is_modern,
            takes_body=self.scope["method"] != "HEAD",
            keeps_alive=self.keeps_alive and self.is_whole and not connection.is_last,
        )
        self._unsaid = head.content
        connection.loop.call_soon(self._say_head)

    def _say_head(self) -> None:
        """By itself, where the body has not come at once: each write is a call of the kernel, and a packet."""
        head, self._unsaid = self._unsaid, b""
        if head and not self.is_gone:
            self._connection.write(head)

    def _write(self, body: bytes, *, is_last: bool) -> None:
        head = self._head
        assert head is not None  # noqa: S101 - ASGI: the start comes first
        if head.left >= 0 and head.takes_body:
            if len(body) > head.left:
                raise ValueError("more of a body than its content-length")
            head.left -= len(body)
        said, self._unsaid = self._unsaid + head.framed(body, is_last=is_last), b""
        if said:
            self._connection.write(said)
        if is_last:
            self._finish(head)

    def _finish(self, head: Head) -> None:
        if head.takes_body and head.left > 0:
            raise ValueError("less of a body than its content-length")
        self.is_answered = True
        if self._parts:
            self._let_go()
        self._wake()
        self._connection.answered(self, keeps_alive=head.keeps_alive)
