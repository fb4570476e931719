"""One child process: started in a session of its own, stopped politely, then not."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1


class UnableToStart(Exception):
    """An engine that cannot run here; one line that says the mend."""


def _follow_parent(stop_signal: int) -> Callable[[], None] | None:
    """On Linux the kernel tells the child when the supervisor was killed; elsewhere the next start cleans up."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def set_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, stop_signal)

    return set_signal


@dataclass(slots=True)
class Child:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path | None = None
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 15
    working_dir: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _is_asked_to_stop: bool = field(default=False, init=False)

    def start(self) -> None:
        self._is_asked_to_stop = False
        output = None
        if self.log_path is not None:
            output = self.log_path.open("ab")
        try:
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.working_dir,
                start_new_session=True,
                preexec_fn=_follow_parent(self.stop_signal),  # noqa: PLW1509 - the supervisor has one thread
            )
        finally:
            if output is not None:
                output.close()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else 0

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """The wish to stop is sent once; some programs take a second one for impatience, and drop what is under way."""
        if number == self.stop_signal:
            if self._is_asked_to_stop:
                return
            self._is_asked_to_stop = True
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def stop(self) -> None:
        """Ask, wait, then kill the whole session, so that nothing stays behind."""
        if self.process is None:
            return
        self.signal(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def identity(self) -> dict[str, float] | None:
        return identify(self.process.pid) if self.process else None


def identify(pid: int) -> dict[str, float] | None:
    """A pid with its start time, so that a recycled pid is never mistaken for our child."""
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.Error:
        return None


def still_runs(identity: Mapping[str, float]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(identity["pid"]))
        if abs(process.create_time() - identity["started"]) > 1:
            return None
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    return process


def end_leftover(identity: Mapping[str, float], stop_signal: int, seconds: float = 20) -> bool:
    """Ends a child that outlived its supervisor, with all it started. True when one was found."""
    process = still_runs(identity)
    if process is None:
        return False
    family = [process, *process.children(recursive=True)]
    with contextlib.suppress(psutil.Error):
        process.send_signal(stop_signal)
    _, alive = psutil.wait_procs(family, timeout=seconds)
    for member in alive:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(alive, timeout=5)
    return True


def wait_until(condition: Callable[[], bool], seconds: float, *, step: float = 0.02) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(step)
    return condition()
