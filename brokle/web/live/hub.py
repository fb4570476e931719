"""One subscription per room and process, however many browsers watch it; a slow browser delays only itself."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from redis import asyncio as redis_asyncio
from redis.exceptions import RedisError

from brokle.edge.signals import CHANNEL, channel
from brokle.kernel.tracing import tracer

log = logging.getLogger("brokle.web.live")

QUEUE_MAX = 256
_AGAIN_S = 0.25
_CONFIRM_S = 2.0


class Watcher:
    """A connected browser: frames wait in a bounded queue; past its end the browser must come back anew."""

    def __init__(self, send: Callable[[str], Awaitable[None]], overflow: Callable[[], None]) -> None:
        self._send = send
        self._overflow = overflow
        self._frames: deque[str] = deque()
        self._wake = asyncio.Event()
        self.is_behind = False

    def offer(self, frame: str) -> None:
        if self.is_behind:
            return
        if len(self._frames) >= QUEUE_MAX:
            self.is_behind = True
            self._frames.clear()
            self._overflow()
            return
        self._frames.append(frame)
        self._wake.set()

    async def pump(self) -> None:
        while not self.is_behind:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                await self._send(self._frames.popleft())


class Hub:
    """The rooms are the truth; a lost Redis is joined again with all of them."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._rooms: dict[str, set[Watcher]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub: redis_asyncio.client.PubSub | None = None
        self._reader: asyncio.Task[None] | None = None

    async def join(self, room: str, watcher: Watcher) -> None:
        """Returns once Redis has taken the subscription, or after a moment when Redis is away."""
        members = self._rooms.setdefault(room, set())
        members.add(watcher)
        confirmed = self._confirmed.setdefault(room, asyncio.Event())
        if confirmed.is_set():
            return
        with tracer.span("SUBSCRIBE redis") as span:
            span.set("db.system.name", "redis")
            span.set("db.operation.name", "SUBSCRIBE")
            if self._reader is None:
                # It outlives whoever came first, and so is no part of that one's trace or log lines.
                self._reader = asyncio.create_task(self._read(), context=Context())
            elif len(members) == 1 and self._pubsub is not None:
                await self._subscribe(self._pubsub, room)
            try:
                async with asyncio.timeout(_CONFIRM_S):
                    await confirmed.wait()
            except TimeoutError:
                span.fail("TimeoutError")

    async def _subscribe(self, pubsub: redis_asyncio.client.PubSub, *rooms: str) -> None:
        with contextlib.suppress(RedisError, OSError):
            await pubsub.subscribe(*(channel(room) for room in rooms))

    async def leave(self, room: str, watcher: Watcher) -> None:
        members = self._rooms.get(room, set())
        members.discard(watcher)
        if not members and self._rooms.pop(room, None) is not None:
            self._confirmed.pop(room, None)
            if self._pubsub is not None:
                with contextlib.suppress(RedisError, OSError):
                    await self._pubsub.unsubscribe(channel(room))

    def deliver(self, room: str, frame: str) -> None:
        for watcher in tuple(self._rooms.get(room, ())):
            watcher.offer(frame)

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None

    async def _read(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("live notices interrupted", extra={"reason": type(error).__name__})
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        client = redis_asyncio.Redis.from_url(self._url, health_check_interval=15)
        try:
            async with client.pubsub() as pubsub:
                # A channel of our own keeps the connection subscribed while no room is watched.
                known = set(self._rooms)
                await pubsub.subscribe(CHANNEL, *(channel(room) for room in known))
                self._pubsub = pubsub
                # Whoever came while that was on its way found no subscription to join.
                if late := self._rooms.keys() - known:
                    await self._subscribe(pubsub, *late)
                while True:
                    message = await pubsub.get_message(timeout=30)
                    if message is not None:
                        self._take(message)
        finally:
            self._pubsub = None
            for confirmed in self._confirmed.values():
                confirmed.clear()
            await client.aclose()

    def _take(self, message: dict[str, Any]) -> None:
        room = message["channel"].decode().removeprefix(CHANNEL)
        if message["type"] == "message":
            self.deliver(room, message["data"].decode())
        elif message["type"] == "subscribe" and room in self._confirmed:
            self._confirmed[room].set()
