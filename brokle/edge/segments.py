"""What lies in the spool's folder between processes: how old it is, and what the dead left behind."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from brokle.edge.spool import CLOSED, OPEN

_UNBORN_S = 10.0


def lag_seconds(folder: Path) -> float:
    """Age of the oldest record not yet everywhere; 0 when all is shipped. The name holds the time of its making."""
    oldest = min((int(p.name.split("-", 2)[1]) for p in folder.glob(f"*{CLOSED}")), default=0)
    return max(0.0, time.time() - oldest / 1e9) if oldest else 0.0


def clear_unborn(folder: Path) -> None:
    """Segments whose process died between making and naming them; nothing was ever written to those."""
    for path in folder.glob(".*.new"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _UNBORN_S:
                path.unlink()


def adopt_orphans(folder: Path) -> None:
    """An open segment whose lock is free belonged to a process that died; it is closed in its name."""
    for path in folder.glob(f"*{OPEN}"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_size:
                os.fsync(descriptor)
                path.rename(path.with_suffix(CLOSED))
            else:
                path.unlink()
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(descriptor)
