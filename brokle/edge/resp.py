"""A thin Redis client for the hot path: one connection a process, one write per turn of the loop, replies in order."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

Reply = Any


PROMPT_S = 0.15
"""Who may go on without Redis waits no longer than this, and not at all once it is known to be late."""
_ONE_TURN_S = 0.005


class RedisDown(Exception):
    pass


def pack(*arguments: str | bytes | float) -> bytes:
    packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type] # the stub says a tuple of one
    return packed


class RedisAddress:
    """`unix://user:password@/path?db=0`, `redis://host:port/0` and `rediss://` as redis-py reads them."""

    __slots__ = ("db", "host", "password", "path", "port", "tls", "user")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.path = unquote(parts.path) if parts.scheme == "unix" else ""
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 6379
        self.tls = parts.scheme == "rediss"
        db = query.get("db", [parts.path.lstrip("/") if parts.scheme != "unix" else "0"])[0]
        self.db = int(db or 0)

    def greeting(self) -> list[bytes]:
        commands = []
        if self.password:
            login = (self.user, self.password) if self.user else (self.password,)
            commands.append(pack("AUTH", *login))
        if self.db:
            commands.append(pack("SELECT", self.db))
        return commands


class _Connection(asyncio.Protocol):
    __slots__ = (
        "_flush_scheduled",
        "_impatient",
        "_loop",
        "_on_lost",
        "_out",
        "_reader",
        "_timer",
        "_waiting",
        "is_late",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[["_Connection"], None]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._out: list[bytes] = []
        self._flush_scheduled = False
        self._impatient: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.is_late = False
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._waiting
        reader.feed(data)
        while waiting:
            try:
                reply = reader.gets()
            except hiredis.ProtocolError:
                self.abort()
                return
            if reply is False:
                return
            future = waiting.popleft()[0]
            if not future.done():
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(RedisDown("the connection to Redis was lost"))
        self._waiting.clear()
        self._impatient.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._on_lost(self)

    def send(self, packed: bytes) -> asyncio.Future[Reply]:
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        self._out.append(packed)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        return future

    def send_impatient(self, packed: bytes) -> asyncio.Future[Reply]:
        """As `send`, given up after `PROMPT_S`. One timer serves all who wait."""
        future = self.send(packed)
        self._impatient.append((future, self._loop.time() + PROMPT_S))
        if self._timer is None:
            self._timer = self._loop.call_later(PROMPT_S, self._look_twice)
        return future

    def _look_twice(self) -> None:
        """A busy loop may not have read yet what lies there: nobody is called late before one more turn."""
        self._timer = self._loop.call_later(_ONE_TURN_S, self._give_up)

    def _give_up(self) -> None:
        now, impatient = self._loop.time() - _ONE_TURN_S, self._impatient
        self._timer = None
        while impatient and (impatient[0][0].done() or impatient[0][1] <= now):
            future, _ = impatient.popleft()
            if not future.done():
                self.is_late = True
                future.set_exception(RedisDown("Redis is late"))
        if impatient:
            self._timer = self._loop.call_at(impatient[0][1], self._look_twice)

    def oldest(self) -> float | None:
        return self._waiting[0][1] if self._waiting else None

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _flush(self) -> None:
        self._flush_scheduled = False
        out, self._out = self._out, []
        if self.transport is not None:
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))


class RedisLink:
    """Reconnects by itself; while it is down every call fails at once with RedisDown."""

    def __init__(self, url: str, *, timeout_s: float = 2.0) -> None:
        self._url = url
        self._address = RedisAddress(url)
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_connect: list[Callable[[], None]] = []

    @property
    def is_up(self) -> bool:
        return self._connection is not None

    async def start(self) -> None:
        """Connects once before returning, if Redis is there; keeps trying in the background either way."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, RedisDown, TimeoutError):
            await self._connect()
        self._keeper = self._loop.create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
            await self._lost.wait()

    def call(self, *arguments: str | bytes | float) -> asyncio.Future[Reply]:
        return self.call_packed(pack(*arguments))

    def call_packed(self, packed: bytes) -> asyncio.Future[Reply]:
        """For commands encoded once and sent many times. A Redis error comes back as a value, not raised."""
        connection = self._connection
        if connection is None:
            raise RedisDown("Redis is not reachable")
        return connection.send(packed)

    def call_impatient(self, packed: bytes) -> asyncio.Future[Reply]:
        """For callers that may go on without an answer: they wait `PROMPT_S`, and not at all while Redis is late."""
        connection = self._connection
        if connection is None:
            raise RedisDown("Redis is not reachable")
        if connection.is_late:
            raise RedisDown("Redis is late")
        return connection.send_impatient(packed)

    async def ask(self, *arguments: str | bytes | float) -> Reply:
        """Like call, but a Redis error is raised."""
        reply = await self.call(*arguments)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        address = self._address

        def factory() -> _Connection:
            return _Connection(loop, self._was_lost)

        async with asyncio.timeout(self._timeout_s):
            if address.path:
                _, connection = await loop.create_unix_connection(factory, address.path)
            else:
                _, connection = await loop.create_connection(
                    factory, address.host, address.port, ssl=address.tls or None
                )
            try:
                await _greet(connection, address)
            except BaseException:
                connection.abort()
                raise
        self._lost.clear()
        self._connection = connection
        for listener in self.on_connect:
            listener()

    def _was_lost(self, connection: _Connection) -> None:
        if self._connection is connection:
            self._connection = None
        self._lost.set()

    async def _keep(self) -> None:
        """Reconnect with back-off; drop a connection whose oldest call waits past the deadline."""
        pause = 0.05
        while True:
            if self._connection is None:
                try:
                    await self._connect()
                    pause = 0.05
                except (OSError, RedisDown, TimeoutError):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s / 4):
                    await self._lost.wait()
            self._drop_when_late()
            await self._try_when_late()

    def _drop_when_late(self) -> None:
        connection = self._connection
        if connection is None:
            return
        oldest = connection.oldest()
        if oldest is not None and time.monotonic() - oldest > self._timeout_s:
            connection.abort()

    async def _try_when_late(self) -> None:
        """One prompt answer, and Redis is waited for again."""
        connection = self._connection
        if connection is None or not connection.is_late:
            return
        with contextlib.suppress(RedisDown):
            await connection.send_impatient(pack("PING"))
            connection.is_late = False


async def _greet(connection: _Connection, address: RedisAddress) -> None:
    """Shows too whether Redis is prompt, before anybody waits for it."""
    began = time.monotonic()
    for command in (*address.greeting(), pack("PING")):
        reply = await connection.send(command)
        if isinstance(reply, hiredis.ReplyError):
            raise RedisDown(str(reply))
    connection.is_late = time.monotonic() - began > PROMPT_S
