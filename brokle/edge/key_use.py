"""Which keys were used: collected in memory, noted in Redis every few seconds, off the path of any request."""

import asyncio
import contextlib
import time

from brokle.edge.resp import RedisDown, RedisLink

USED = "bk:keys:used"
_EVERY_S = 5.0


class KeyUse:
    """`seen` is filled by the key check; a second that is lost with a process is no loss."""

    __slots__ = ("_redis", "_task", "seen")

    def __init__(self, redis: RedisLink) -> None:
        self.seen: set[str] = set()
        self._redis = redis
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._note_loop())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.note()

    async def note(self) -> None:
        if not self.seen:
            return
        used, self.seen = self.seen, set()
        now = int(time.time())
        pairs = [part for key_id in used for part in (key_id, now)]
        with contextlib.suppress(RedisDown):
            await self._redis.ask("HSET", USED, *pairs)

    async def _note_loop(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.note()
