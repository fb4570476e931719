"""Where things lie: the data dir, its generated secrets, the short run directory, and run.json."""

import contextlib
import hashlib
import json
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brokle.kernel.locks import FileLock


class UnableToUseDataDir(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Layout:
    """Every path Brokle writes to, from the data dir alone."""

    data_dir: Path

    @classmethod
    def at(cls, data_dir: str | Path) -> "Layout":
        return cls(Path(data_dir).expanduser().resolve())

    def prepare(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            for folder in (self.secrets, self.spool, self.logs, self.snapshot, self.uploads):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UnableToUseDataDir(
                f"cannot write to the data dir {self.data_dir} ({error.strerror}); "
                "choose another with --data-dir or BROKLE_DATA_DIR"
            ) from error

    @property
    def secrets(self) -> Path:
        return self.data_dir / "secrets"

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def redis(self) -> Path:
        return self.data_dir / "redis"

    @property
    def clickhouse(self) -> Path:
        return self.data_dir / "clickhouse"

    @property
    def spool(self) -> Path:
        return self.data_dir / "spool"

    @property
    def snapshot(self) -> Path:
        return self.data_dir / "snapshot"

    @property
    def uploads(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def run_file(self) -> Path:
        return self.data_dir / "run.json"

    def lock(self) -> FileLock:
        """Held by whoever runs the engines of the data dir."""
        return FileLock(self.data_dir / "lock")

    def secret(self, name: str) -> str:
        """A generated secret, made once, readable by its owner only."""
        path = self.secrets / name
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            _make_once(path, secrets.token_urlsafe(32))
            return path.read_text(encoding="ascii").strip()

    def run_dir(self) -> Path:
        """A short private directory for sockets: a unix socket path holds 108 bytes."""
        name = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:10]
        path = Path(tempfile.gettempdir()) / f"brokle-{os.getuid()}-{name}"
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise UnableToUseDataDir(f"{path} belongs to someone else; remove it or set TMPDIR")
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
        return path

    def clear_run_dir(self) -> None:
        """After the engines stopped nothing of them stays in the temporary folder."""
        with contextlib.suppress(OSError):
            place = self.run_dir()
            for leftover in place.iterdir():
                leftover.unlink()
            place.rmdir()

    def read_run(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self.run_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found

    def write_run(self, content: dict[str, Any]) -> None:
        write_private(self.run_file, json.dumps(content, indent=1))


def _make_once(path: Path, text: str) -> None:
    """Of several at once one is the first, and what it wrote counts for all."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(mine, text)
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        mine.replace(path)
    mine.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
