"""`/ws`: subscribe to rooms of one's own organization; frames `{type: subscribe, room}` → `{type, room, data, id}`."""

import asyncio
import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from brokle.kernel.extensions import live_rooms
from brokle.kernel.metrics import gauge
from brokle.kernel.tracing import SERVER, tracer
from brokle.web.live.hub import Hub, Watcher
from brokle.web.live.identity import SUBPROTOCOL, find_person, is_own_origin, person_room, session_lives
from brokle.web.live.traced import note_refusal, traceparent_of

ROOMS_MAX = 50
ROOM_NAME_MAX = 200
FRAME_MAX = 4096

_UNAUTHORIZED, _FORBIDDEN_ORIGIN, _TRY_AGAIN, _SILENT = 4401, 4403, 1013, 4408
_BEATS_MISSED = 3

_watching = gauge("brokle_live_watchers", "Browsers and clients connected to /ws.").of()

_hubs: dict[int, Hub] = {}


def hub() -> Hub:
    """One per loop, that is one per process."""
    loop = id(asyncio.get_running_loop())
    if loop not in _hubs:
        _hubs[loop] = Hub(settings.REDIS_URL)
    return _hubs[loop]


class LiveConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self._rooms: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_at = asyncio.get_running_loop().time()
        is_own = is_own_origin(self.scope)
        self._person = await find_person(self.scope) if is_own else None
        refusal = _UNAUTHORIZED if is_own else _FORBIDDEN_ORIGIN
        if self._person is None:
            note_refusal(refusal)
        # A handshake that was refused shows browsers no reason; a close code does.
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in (self.scope.get("subprotocols") or []) else None)
        if self._person is None:
            await self.close(refusal)
            return
        self._watcher = Watcher(self.send, self._fall_behind)
        self._doubts = Watcher(self._look_again, self._fall_behind)
        _watching.inc()
        self._tasks = [asyncio.create_task(one) for one in (self._watcher.pump(), self._doubts.pump(), self._beat())]
        self._tasks.append(asyncio.create_task(self._hear_of_endings()))

    async def disconnect(self, code: int) -> None:
        if self._tasks:
            _watching.dec()
        for task in self._tasks:
            task.cancel()
        for room in self._rooms:
            await hub().leave(room, self._watcher)
        self._rooms.clear()
        if self._person is not None:
            await hub().leave(self._own_room, self._doubts)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        frame = _parse(text_data)
        if frame is None:
            await self._say("error", detail="frames are JSON objects with a `type`")
        elif frame["type"] == "subscribe":
            await self._subscribe(str(frame.get("room", "")))
        elif frame["type"] == "unsubscribe":
            await self._unsubscribe(str(frame.get("room", "")))
        elif frame["type"] == "ping":
            await self._say("pong")
        elif frame["type"] != "pong":
            await self._say("error", detail="type is one of subscribe, unsubscribe, ping, pong")

    async def _subscribe(self, room: str) -> None:
        with tracer.begin("subscribe /ws", SERVER, traceparent_of(self.scope)) as span:
            detail = await self._join(room)
            span.set("brokle.subscribed", not detail)
            if not detail:
                span.set("brokle.room", room)  # a room that is none may be anything a user wrote
        if detail:
            await self._say("error", room=room[:ROOM_NAME_MAX], detail=detail)
        else:
            await self._say("subscribed", room=room)

    async def _join(self, room: str) -> str:
        """Why not; empty once the room is joined."""
        if len(self._rooms) >= ROOMS_MAX and room not in self._rooms:
            return f"at most {ROOMS_MAX} rooms a connection"
        # PostgreSQL takes neither NUL nor half a letter, and no room is named by them.
        if len(room) > ROOM_NAME_MAX or not room.isprintable() or not await self._may_join(room):
            return "there is no such room for you"
        self._rooms.add(room)
        await hub().join(room, self._watcher)
        return ""

    async def _unsubscribe(self, room: str) -> None:
        if room in self._rooms:
            self._rooms.discard(room)
            await hub().leave(room, self._watcher)
        await self._say("unsubscribed", room=room)

    async def _may_join(self, room: str) -> bool:
        kind, _, object_id = room.partition(":")
        for known in live_rooms.collect():
            if known.kind == kind:
                return await known.may_join(self._person, object_id)
        return False

    @property
    def _own_room(self) -> str:
        return person_room(str(getattr(self._person, "pk", "")))

    async def _hear_of_endings(self) -> None:
        await hub().join(self._own_room, self._doubts)
        await self._look_again("")  # what ended before we listened

    async def _look_again(self, frame: str) -> None:
        """Something of this person ended: perhaps what this socket was opened with, perhaps a place of theirs."""
        if await session_lives(self.scope):
            await self._leave_lost_rooms()
        else:
            await self.close(_UNAUTHORIZED)

    async def _beat(self) -> None:
        """Ends the silent, and takes away what a person lost meanwhile: the session, or a room's membership."""
        every = settings.LIVE_HEARTBEAT_S
        while True:
            await asyncio.sleep(every)
            if asyncio.get_running_loop().time() - self._heard_at > _BEATS_MISSED * every:
                await self.close(_SILENT)
                return
            if not await session_lives(self.scope):
                await self.close(_UNAUTHORIZED)
                return
            await self._leave_lost_rooms()
            await self._say("ping")

    async def _leave_lost_rooms(self) -> None:
        for room in tuple(self._rooms):
            if not await self._may_join(room):
                await self._unsubscribe(room)

    def _fall_behind(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.append(asyncio.create_task(self.close(_TRY_AGAIN)))

    async def _say(self, kind: str, **fields: Any) -> None:
        await self.send(json.dumps({"type": kind, **fields}))


def _parse(text: str | None) -> dict[str, Any] | None:
    if text is None or len(text) > FRAME_MAX:
        return None
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) and isinstance(frame.get("type"), str) else None
