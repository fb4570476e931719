"""Shadow calls: what a caller asked goes to a second model too, and nobody waits for that one's answer."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Final

from brokle.edge.http import Header, Message, Request
from brokle.kernel.ids import new_id

_AT_ONCE: Final = 64


class Unheard(Request):
    """A request whose answer goes nowhere: same caller, same words, an id of its own."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, _never, _nowhere)
        self.principal = request.principal
        self.request_id = new_id("req")

    async def gone(self) -> None:
        await asyncio.Event().wait()

    async def reply(self, status: int, body: bytes, *headers: Header) -> None:
        self.is_started, self.status = True, status

    async def start(self, status: int, *headers: Header) -> None:
        self.is_started, self.status = True, status

    async def chunk(self, body: bytes) -> None:
        pass

    async def finish(self, body: bytes = b"") -> None:
        pass


async def _never() -> Message:
    await asyncio.Event().wait()
    return {}


async def _nowhere(message: Message) -> None:
    pass


class Mirrors:
    """Holds shadow calls while they run; beyond so many at once the rest is not mirrored."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        return len(self._running) >= _AT_ONCE

    def begin(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(call, context=Context())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # it is in the request log; there is nobody to tell
