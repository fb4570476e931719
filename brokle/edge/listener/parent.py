"""The parent of the workers: holds the socket they share, replaces who ends, stops them all in time."""

import contextlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

log = logging.getLogger("brokle.edge")

BACKLOG: Final = 2048
_PAUSE_S: Final = 0.5
"""Before a worker that ended is replaced, so that one that cannot live is not replaced in a tight circle."""
_LOOK_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Worker:
    process: subprocess.Popen[bytes]
    ready: int
    serves: bool = False
    is_old: bool = False
    """Serves until another has taken its place."""
    dismissed_at: float = 0.0

    def dismiss(self) -> None:
        if not self.dismissed_at:
            self.dismissed_at = time.monotonic()
            self.tell(signal.SIGTERM)

    def tell(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class Parent:
    def __init__(self, application: str, listening: socket.socket, workers: int, drain_s: float) -> None:
        self._application = application
        self._listening = listening
        self._wanted = workers
        self._drain_s = drain_s
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._heard: list[int] = []
        self._is_stopping = False
        self._cannot_live = False
        self._start_again_at = 0.0

    def run(self) -> int:
        """0 after a stop that was asked for; 1 where no worker lived long enough to serve."""
        self._hear_signals()
        while not self._is_stopping:
            self._fill_up()
            self._look()
        while self._workers:
            self._look()
        return 1 if self._cannot_live else 0

    def _hear_signals(self) -> None:
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: Any) -> None:
        self._heard.append(number)

    def _look(self) -> None:
        for key, _ in self._selector.select(_LOOK_S):
            told = os.read(key.fd, 4096)
            if key.data is not None:
                self._hear_of(key.data, is_ready=bool(told))
        heard, self._heard = self._heard, []
        for number in heard:
            if number == signal.SIGHUP:
                self._renew()
            elif number != signal.SIGCHLD:
                self._stop()
        for worker in tuple(self._workers):
            self._attend(worker)

    def _fill_up(self) -> None:
        if time.monotonic() < self._start_again_at:
            return
        for _ in range(self._wanted - sum(not worker.is_old for worker in self._workers)):
            self._start()

    def _start(self) -> None:
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "brokle.edge.listener.worker", "--application", self._application]
        command += ["--listening", str(self._listening.fileno()), "--ready", str(writing), "--parent", str(os.getpid())]
        process = subprocess.Popen(command, pass_fds=(self._listening.fileno(), writing), stdin=subprocess.DEVNULL)
        os.close(writing)
        worker = Worker(process, reading)
        self._workers.append(worker)
        self._selector.register(reading, selectors.EVENT_READ, worker)

    def _hear_of(self, worker: Worker, *, is_ready: bool) -> None:
        self._selector.unregister(worker.ready)
        os.close(worker.ready)
        worker.serves = is_ready
        if is_ready:
            old = next((one for one in self._workers if one.is_old and not one.dismissed_at), None)
            if old is not None:
                old.dismiss()

    def _renew(self) -> None:
        for worker in self._workers:
            worker.is_old = True
            if not worker.serves:
                worker.dismiss()

    def _stop(self) -> None:
        self._is_stopping = True
        for worker in self._workers:
            worker.dismiss()

    def _attend(self, worker: Worker) -> None:
        if worker.process.poll() is None:
            if worker.dismissed_at and time.monotonic() - worker.dismissed_at > self._drain_s:
                worker.tell(signal.SIGKILL)
            return
        self._workers.remove(worker)
        if worker.dismissed_at:
            return
        log.error("web worker ended", extra={"pid": worker.process.pid, "exit_code": worker.process.returncode})
        self._start_again_at = time.monotonic() + _PAUSE_S
        if not worker.serves and not any(one.serves for one in self._workers):
            self._cannot_live = True
            self._stop()
