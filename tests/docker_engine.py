"""A Docker Engine for the tests that need one: whichever answers, or one started for the run. Without it they fail."""

import fcntl
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_START_SECONDS = 180
_STOP_SECONDS = 60


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def engine_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def ensure_docker_engine(home: Path) -> None:
    """Whichever worker comes first starts it; it lasts as long as the run whose home this is."""
    with (home / "docker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if engine_answers():
            return
        assert os.geteuid() == 0, (
            "no Docker Engine answers, and only root may start one: start Docker, then run this again"
        )
        log = home / "dockerd.log"
        # By way of a shell that leaves at once: it outlives the worker that happens to need it first.
        started = ["sh", "-c", 'setsid dockerd >"$0" 2>&1 </dev/null & echo $!', str(log)]
        pid = int(subprocess.run(started, capture_output=True, text=True, check=True).stdout)
        (home / "dockerd.pid").write_text(str(pid))
        _wait(pid, log)


def stop_docker_engine(home: Path) -> None:
    """The one this run started, if it did."""
    with suppress(FileNotFoundError, ProcessLookupError):
        pid = int((home / "dockerd.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.1)


def _wait(pid: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not engine_answers():
        assert Path(f"/proc/{pid}").exists(), f"dockerd ended:\n{log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"dockerd does not answer:\n{log.read_text()[-3000:]}"
        time.sleep(0.2)
