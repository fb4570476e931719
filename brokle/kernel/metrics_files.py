"""Every process mirrors its metrics into a file of its own; whoever is scraped adds them all up.

A file's lock is held for as long as its process lives. What a dead process counted moves into `dead.json` once, so
that a counter never goes back; its gauges go with it.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from brokle.kernel.metrics import Dump, Registry, registry
from brokle.kernel.metrics_merge import merge

_EVERY_S = 1.0
_DEAD = "dead.json"


class Mirror:
    """Writes the registry each second and when asked. At most a second is lost to kill -9, and to all alike."""

    def __init__(self, folder: Path, role: str, source: Registry = registry) -> None:
        self._folder = folder
        self._source = source
        self._name = f"{role}-{os.getpid()}-{time.time_ns()}"
        self._lock: int | None = None
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _take_lock(self._folder, self._name)
        self.write()
        self._thread.start()

    def write(self) -> None:
        with self._writing:
            content = msgspec.json.encode(self._source.dump())
            _replace(self._folder / f"{self._name}.json", content)

    def stop(self) -> None:
        if self._lock is None:
            return
        self._stopping.set()
        self._thread.join(2)
        self.write()
        os.close(self._lock)
        self._lock = None

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            with contextlib.suppress(OSError):  # a full disk costs metrics, nothing else
                self.write()


def _take_lock(folder: Path, name: str) -> int:
    """Locked before it gets the name under which others look for the dead."""
    unseen = folder / f".{name}.new"
    descriptor = os.open(unseen, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unseen.rename(folder / f"{name}.lock")
    return descriptor


def collect(folder: Path) -> Dump:
    """All processes of this data dir, living and dead, as one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        living, dead = _sort(folder)
        former = _read(folder / _DEAD) or {"folded": [], "metrics": {}}
        if dead:
            former = _fold(folder, former, dead)
        return merge([former["metrics"], *filter(None, (_read(folder / f"{name}.json") for name in living))])


def _fold(folder: Path, former: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Named as folded in the same write that holds their counts: a crash between the two adds nothing twice."""
    fresh = [found for name in names if name not in former["folded"] and (found := _read(folder / f"{name}.json"))]
    total = {"folded": names, "metrics": merge([former["metrics"], *fresh], keeps_gauges=False)}
    _replace(folder / _DEAD, msgspec.json.encode(total))
    for name in names:
        (folder / f"{name}.json").unlink(missing_ok=True)
        (folder / f"{name}.lock").unlink(missing_ok=True)
    return total


def _sort(folder: Path) -> tuple[list[str], list[str]]:
    living: list[str] = []
    dead: list[str] = []
    for path in sorted(folder.glob("*.lock")):
        (dead if _is_free(path) else living).append(path.stem)
    return living, dead


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / ".collecting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
