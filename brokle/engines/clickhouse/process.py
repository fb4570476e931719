"""The life of the engine's process: start, say where it listens, drain when told, leave nothing behind."""

import logging
import os
import secrets
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from brokle.engines.clickhouse.configuration import Limits
from brokle.engines.clickhouse.engine import Engine
from brokle.engines.clickhouse.execution import Executor
from brokle.engines.clickhouse.running import RunningQueries
from brokle.engines.clickhouse.server import Server, listen
from brokle.engines.clickhouse.sessions import Sessions
from brokle.engines.layout import write_private

_DRAIN_SECONDS: Final = 10.0
_QUERIES: Final = 32
_QUEUE_SECONDS: Final = 60.0
_SWEEP_SECONDS: Final = 15.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """Paths are absolute: the engine changes the working directory."""

    path: Path
    password_file: Path
    port_file: Path | None = None
    port: int = 0
    exit_with_stdin: bool = False
    limits: Limits = field(default_factory=Limits)


def serve(options: Options) -> None:
    """Serves until SIGTERM, SIGINT or the end of stdin; then drains and returns."""
    stopping = threading.Event()
    password = _password(options.password_file)
    engine = Engine(options.path, options.limits)
    engine.open()
    try:
        _serve(options, engine, password, stopping)
    finally:
        engine.close()


def _serve(options: Options, engine: Engine, password: str, stopping: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    sessions = Sessions(engine)
    running = RunningQueries(engine, most=_QUERIES, patience_s=_QUEUE_SECONDS)
    server = Server(engine, Executor(engine, sessions, running), password, port=options.port)
    stop_listening = listen(server)
    threading.Thread(target=running.watch, args=(stopping,), name="clickhouse-watch", daemon=True).start()
    if options.exit_with_stdin:
        threading.Thread(target=_wait_for_end_of_stdin, args=(stopping,), name="clickhouse-stdin", daemon=True).start()
    if options.port_file is not None:
        write_private(options.port_file, f"{server.port}\n")
    try:
        while not stopping.wait(_SWEEP_SECONDS):
            sessions.expire()
    finally:
        if options.port_file is not None:
            options.port_file.unlink(missing_ok=True)
        stop_listening()
        if not running.drain(_DRAIN_SECONDS):
            _log.warning("queries were cancelled after %s seconds of draining", _DRAIN_SECONDS)
        sessions.close()


def _password(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()


def _wait_for_end_of_stdin(stopping: threading.Event) -> None:
    with suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    stopping.set()
