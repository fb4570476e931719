"""One file for the lines of all processes of `brokle serve`, beside standard error.

A line is one append, so those of several processes never mix. The supervisor alone renames a file that has grown; the
others see it at their next line. Whatever is wrong with the file costs lines in it, one warning, and nothing else.
"""

import errno
import logging
import os
import stat
from pathlib import Path
from typing import Final

log = logging.getLogger("brokle.log")

BYTES_MAX: Final = 64 * 1024 * 1024
KEPT: Final = 3

# Without waiting: a named pipe that nobody reads would hold up the process.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class LogFile(logging.Handler):
    """Opens the file at the first line and again whenever its name leads to another one."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._descriptor = -1
        self._identity = (-1, -1)
        self._is_cut = False
        self._has_warned = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._append(self.format(record).encode() + b"\n")
        except OSError as error:
            self._warn(error)
        except Exception:  # noqa: BLE001 - as every handler of logging: a line that cannot be written stops nobody
            self.handleError(record)

    def close(self) -> None:
        self.acquire()
        try:
            self._close()
        finally:
            self.release()
        super().close()

    def _append(self, line: bytes) -> None:
        if self._descriptor < 0 or self._found() != self._identity:
            self._open()
        if self._is_cut:
            line = b"\n" + line
        self._is_cut = os.write(self._descriptor, line) < len(line)
        if self._is_cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - at every line, and a Path costs more than the call
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> None:
        self._close()
        self._descriptor = os.open(self._path, _FLAGS, 0o600)
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._is_cut = False

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            fields = {"log_file": self._path, "reason": error.strerror or type(error).__name__}
            log.warning("lines are missing from the log file", extra=fields)


class Rotation:
    """The supervisor's part: keeps the file and a few older ones within bounds."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX, kept: int = KEPT) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._has_warned = False

    def step(self) -> bool:
        """True when the file was put aside."""
        try:
            found = self._path.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size < self._bytes_max:
                return False
            self._put_aside()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._empty(error)
            return False
        return True

    def _put_aside(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            if self._older(number).exists():
                self._older(number).replace(self._older(number + 1))
        self._path.replace(self._older(1))

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _empty(self, error: OSError) -> None:
        """A file that may be written in a folder that may not: bounded all the same."""
        try:
            os.truncate(self._path, 0)
            outcome = "emptied"
        except OSError:
            outcome = "left to grow"
        if not self._has_warned:
            self._has_warned = True
            fields = {"log_file": str(self._path), "reason": error.strerror or type(error).__name__, "outcome": outcome}
            log.warning("the log file cannot be put aside", extra=fields)
