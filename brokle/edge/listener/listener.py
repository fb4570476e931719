"""All connections of one process."""

import asyncio
from typing import Any, Final

from brokle.edge.listener.connection import Connection
from brokle.edge.listener.exchange import Exchange
from brokle.edge.listener.heads import Clock
from brokle.edge.listener.websocket import WebSocket

_CONNECTIONS_MAX: Final = 8192
_SWEEP_S: Final = 1.0


class Listener:
    def __init__(self, application: Any, *, connections_max: int = _CONNECTIONS_MAX) -> None:
        self.application = application
        self.loop = asyncio.get_running_loop()
        self.clock = Clock()
        self.running: set[Exchange | WebSocket] = set()
        self.connections: set[Connection] = set()
        self._connections_max = connections_max
        self._quiet: asyncio.Future[None] | None = None
        self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep)

    def connection(self) -> Connection:
        return Connection(self)

    def welcomes(self, connection: Connection) -> bool:
        self.connections.add(connection)
        return len(self.connections) <= self._connections_max

    def lost(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._look_whether_quiet()

    def ended(self, answered: Exchange | WebSocket) -> None:
        self.running.discard(answered)
        self._look_whether_quiet()

    def _sweep(self) -> None:
        self.sweep(self.loop.time())
        self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep)

    def sweep(self, now: float) -> None:
        for connection in tuple(self.connections):
            connection.sweep(now)

    async def drain(self) -> None:
        """Returns once everything under way is answered, and taken by who asked."""
        self._quiet = self.loop.create_future()
        for connection in tuple(self.connections):
            connection.go_away()
        self._look_whether_quiet()
        await self._quiet
        self._sweeping.cancel()

    def _look_whether_quiet(self) -> None:
        if self._quiet is not None and not self.running and not self.connections and not self._quiet.done():
            self._quiet.set_result(None)
