"""Which queries run now: a bound on their number, and cancelling those whose client has gone."""

import logging
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from brokle.engines.clickhouse.engine import Engine, literal
from brokle.engines.clickhouse.errors import QUERY_WITH_SAME_ID, TOO_MANY_SIMULTANEOUS_QUERIES, ClickHouseError, refusal

_LOOK_EVERY_S: Final = 1.0
_log = logging.getLogger(__name__)


class RunningQueries:
    """By their ids, which the engine knows from `log_comment`.

    A client that says something else there keeps its comment, and its query is not cancelled when it goes.
    """

    def __init__(self, engine: Engine, *, most: int, patience_s: float) -> None:
        self._engine = engine
        self._slots = threading.BoundedSemaphore(most)
        self._patience_s = patience_s
        self._idle = threading.Condition()
        self._clients: dict[str, socket.socket | None] = {}

    @contextmanager
    def slot(self, query_id: str, client: socket.socket | None) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._patience_s):
            raise refusal(
                TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries."
            )
        try:
            with self._idle:
                if query_id in self._clients:
                    raise refusal(
                        QUERY_WITH_SAME_ID,
                        "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
                        f"Query with id = {query_id} is already running.",
                    )
                self._clients[query_id] = client
            try:
                yield
            finally:
                with self._idle:
                    del self._clients[query_id]
                    self._idle.notify_all()
        finally:
            self._slots.release()

    def watch(self, stopping: threading.Event) -> None:
        """Runs in a thread of its own until `stopping`."""
        while not stopping.wait(_LOOK_EVERY_S):
            with self._idle:
                gone = [
                    query_id for query_id, client in self._clients.items() if client is not None and _hung_up(client)
                ]
            for query_id in gone:
                self._kill(f"Settings['log_comment'] = {literal(query_id)}")

    def drain(self, seconds: float) -> bool:
        """Waits for running queries, then cancels what is left. True when nothing had to be cancelled."""
        with self._idle:
            if self._idle.wait_for(lambda: not self._clients, timeout=seconds):
                return True
        self._kill("1")
        with self._idle:
            self._idle.wait_for(lambda: not self._clients, timeout=5)
        return False

    def _kill(self, condition: str) -> None:
        try:
            with self._engine.session() as session:
                session.run(f"KILL QUERY WHERE {condition} ASYNC")
        except ClickHouseError as error:
            _log.warning("a query could not be cancelled: %s", error)


def _hung_up(client: socket.socket) -> bool:
    """True when the peer closed; bytes waiting to be read (a pipelined request) mean it did not."""
    try:
        poll = select.poll()  # select() takes no descriptor above 1023
        poll.register(client, select.POLLIN)
        return bool(poll.poll(0)) and client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return True
