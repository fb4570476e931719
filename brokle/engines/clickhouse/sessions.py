"""Sessions named by clients (`session_id`): one engine session kept between requests, for temporary tables and SET."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from brokle.engines.clickhouse.engine import DEFAULT_DATABASE, Engine, Session
from brokle.engines.clickhouse.errors import (
    BAD_REQUEST_PARAMETER,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    refusal,
)

_MAX_SESSIONS: Final = 512
_MAX_TIMEOUT_S: Final = 3600
_DEFAULT_TIMEOUT_S: Final = 60


class NamedSession:
    """What a client left behind: its database and SET statements are said again after each request's own settings."""

    __slots__ = ("database", "engine", "expires_at", "lock", "said")

    def __init__(self, engine: Session) -> None:
        self.engine = engine
        self.database = DEFAULT_DATABASE
        self.said: list[str] = []
        self.lock = threading.Lock()
        self.expires_at = 0.0

    def restore(self, changed: Iterable[str]) -> None:
        self.engine.unset(changed)
        for statement in self.said:
            self.engine.run(statement)


class Sessions:
    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._named: dict[str, NamedSession] = {}

    def acquire(self, session_id: str, *, must_exist: bool) -> NamedSession:
        """Returns the session, locked for the caller; a second query at the same time is refused as ClickHouse does."""
        self.expire()
        with self._lock:
            named = self._named.get(session_id)
            if named is None:
                if must_exist:
                    raise refusal(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", f"Session {session_id} not found.")
                if len(self._named) >= _MAX_SESSIONS:
                    raise refusal(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many sessions.")
                named = self._named[session_id] = NamedSession(self._engine.session())
            if not named.lock.acquire(blocking=False):
                raise refusal(
                    SESSION_IS_LOCKED, "SESSION_IS_LOCKED", f"Session {session_id} is locked by a concurrent client."
                )
            return named

    def release(self, session_id: str, *, timeout_s: int, close: bool) -> None:
        with self._lock:
            named = self._named[session_id]
            named.expires_at = self._clock() + timeout_s
            named.lock.release()
            if close:
                del self._named[session_id]
                named.engine.close()

    def expire(self) -> None:
        with self._lock:
            now = self._clock()
            for session_id, named in list(self._named.items()):
                if not named.lock.locked() and named.expires_at <= now:
                    del self._named[session_id]
                    named.engine.close()

    def close(self) -> None:
        with self._lock:
            for named in self._named.values():
                named.engine.close()
            self._named.clear()


def timeout_seconds(text: str) -> int:
    if not text:
        return _DEFAULT_TIMEOUT_S
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_TIMEOUT_S:
        raise refusal(
            BAD_REQUEST_PARAMETER,
            "BAD_ARGUMENTS",
            f"session_timeout must be 0 to {_MAX_TIMEOUT_S} seconds, not '{text}'.",
        )
    return int(text)
