import asyncio
import ssl
from collections import deque

from brokle.edge.egress.connection import Connection
from brokle.edge.egress.dialing import Dialer
from brokle.edge.egress.errors import DeadlinePassed, TooManyWaiting, UnableToConnect
from brokle.edge.egress.limits import PoolLimits
from brokle.edge.egress.urls import Origin


class Pool:
    """The connections to one origin. The one used last is used next, so that spare ones age and leave."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_dialer",
        "_emptied",
        "_idle",
        "_loop",
        "_open",
        "_taken",
        "_tls",
        "_waiting",
        "connects",
        "limits",
        "origin",
    )

    def __init__(self, origin: Origin, dialer: Dialer, tls: ssl.SSLContext | None, limits: PoolLimits) -> None:
        self.origin = origin
        self.limits = limits
        self.connects = 0
        self._dialer = dialer
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._taken = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._emptied: asyncio.Event | None = None
        self._closed = False

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def open_count(self) -> int:
        return len(self._open)

    def take(self) -> Connection | None:
        """An idle connection at once, or none."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_open:
                if self._loop.time() < connection.expires_at:
                    return connection
                connection.abort()
        return None

    async def obtain(self, timeout_s: float, *, fresh: bool = False) -> Connection:
        """An idle connection, a new one while there is room, else the next that becomes free."""
        give_up_at = self._loop.time() + timeout_s
        while True:
            if not fresh and (connection := self.take()) is not None:
                return connection
            if self._closed:
                raise UnableToConnect("the egress client is closed")
            if self._taken < self.limits.connections:
                self._taken += 1
                return await self._connect(give_up_at, timeout_s)
            handed = await self._next_free(give_up_at, timeout_s)
            if handed is None:
                return await self._connect(give_up_at, timeout_s)
            if handed.is_open:
                return handed

    def release(self, connection: Connection) -> None:
        if self._closed or self._loop.time() >= connection.expires_at:
            connection.abort()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        if connection not in self._open:
            return
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_slot()
        if self._emptied is not None and not self._open:
            self._emptied.set()

    async def aclose(self) -> None:
        self._closed = True
        for waiter in self._waiting:
            waiter.cancel()
        self._emptied = asyncio.Event()
        for connection in list(self._open):
            connection.abort()
        if self._open:
            await self._emptied.wait()

    async def _next_free(self, give_up_at: float, timeout_s: float) -> Connection | None:
        """A connection that its former user gave back, or None: a slot to fill with a new one."""
        if len(self._waiting) >= self.limits.waiting:
            raise TooManyWaiting(f"{len(self._waiting)} calls already wait for {self.origin.host}", retry_after_s=1)
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(give_up_at):
                return await waiter
        except BaseException as error:
            self._withdraw(waiter)
            if isinstance(error, TimeoutError):
                raise DeadlinePassed(self.origin.host, "waiting for a free connection", timeout_s) from None
            raise

    def _withdraw(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Nothing that was handed over in the same moment may be lost."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        if waiter.done() and not waiter.cancelled():
            handed = waiter.result()
            if handed is None:
                self._free_slot()
            elif handed.is_open:
                self.release(handed)

    def _free_slot(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken -= 1

    async def _connect(self, give_up_at: float, timeout_s: float) -> Connection:
        try:
            connection = await self._dial(max(give_up_at - self._loop.time(), 0.001), timeout_s)
        except BaseException:
            self._free_slot()
            raise
        self._open.add(connection)
        if self._closed:
            connection.abort()
            raise UnableToConnect("the egress client is closed")
        self.connects += 1
        return connection

    async def _dial(self, remaining_s: float, timeout_s: float) -> Connection:
        started = self._loop.time()
        sock = await self._dialer.dial(self.origin, timeout_s=remaining_s)
        remaining_s -= self._loop.time() - started
        try:
            # From here on the socket is the transport's to close, also when the handshake fails.
            async with asyncio.timeout(max(remaining_s, 0.001)):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, self._loop),
                    sock=sock,
                    ssl=self._tls,
                    server_hostname=self.origin.host if self._tls else None,
                )
        except TimeoutError:
            raise DeadlinePassed(self.origin.host, "connecting", timeout_s) from None
        except ssl.SSLCertVerificationError as error:
            reason = error.verify_message
            raise UnableToConnect(f"the certificate of {self.origin.host} is not valid: {reason}") from None
        except OSError:
            raise UnableToConnect(f"{self.origin.host} broke off the connection") from None
        return connection
