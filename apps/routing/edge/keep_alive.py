"""Comments in a silent stream, so that nobody between takes the connection for dead."""

import asyncio
from typing import Final

from brokle.edge.http import ClientGone, Request

SILENCE_S: Final = 15.0
_COMMENT: Final = b": keep-alive\n\n"


class KeepAlive:
    """One timer a stream, looked at only when it rings: what a chunk costs is one clock reading."""

    __slots__ = ("_heard_at", "_loop", "_request", "_sending", "_silence_s", "_timer")

    def __init__(self, request: Request, silence_s: float = SILENCE_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._silence_s = silence_s
        self._heard_at = self._loop.time()
        self._sending: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(silence_s, self._look)

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    def stop(self) -> None:
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = self._heard_at + self._silence_s
        if now >= due:
            self._sending = self._loop.create_task(self._say())
            self._heard_at = now
            due = now + self._silence_s
        self._timer = self._loop.call_at(due, self._look)

    async def _say(self) -> None:
        try:
            await self._request.chunk(_COMMENT)
        except ClientGone:
            self._timer.cancel()
