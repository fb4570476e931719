"""The file: a tar of members, a manifest with each member's size and SHA-256, and the manifest's own SHA-256."""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import msgspec

MANIFEST = "manifest.json"
SEAL = "manifest.json.sha256"
_PIECE = 1024 * 1024
_MANIFEST_LARGEST = 64 * 1024 * 1024


class UnableToReadBackup(Exception):
    """The file is not a whole backup of ours; nothing was changed."""


@dataclass(slots=True)
class Manifest:
    version: str
    created_at: str
    engines: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = 1


class Writer:
    def __init__(self, tar: tarfile.TarFile, manifest: Manifest, scratch: Path) -> None:
        self._tar = tar
        self.manifest = manifest
        self.scratch = scratch

    def add(self, name: str, path: Path) -> None:
        """A file is read once, for its hash and its bytes, so that one that changes meanwhile is still consistent."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digesting = _Digesting(file, size)
            info = tarfile.TarInfo(name)
            info.size, info.mode = size, 0o600
            self._tar.addfile(info, digesting)
        self.manifest.members[name] = {"size": size, "sha256": digesting.digest.hexdigest()}

    def add_bytes(self, name: str, content: bytes) -> None:
        self._plain(name, content)
        self.manifest.members[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def finish(self) -> None:
        content = msgspec.json.encode(self.manifest)
        self._plain(MANIFEST, content)
        self._plain(SEAL, hashlib.sha256(content).hexdigest().encode())

    def _plain(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self._tar.addfile(info, io.BytesIO(content))


class _Digesting:
    """A file that counts as it is read; one cut short meanwhile is filled, so that the tar stays whole."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self.digest = hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        wanted = self._left if count < 0 else min(count, self._left)
        piece = self._file.read(wanted).ljust(wanted, b"\0")
        self._left -= len(piece)
        self.digest.update(piece)
        return piece


@contextmanager
def writing(target: Path, manifest: Manifest) -> Iterator[Writer]:
    """Whole or not at all: written in a private folder beside the target, flushed, then renamed over it."""
    scratch = Path(tempfile.mkdtemp(prefix=".brokle-backup-", dir=target.parent))
    partial = scratch / "backup.tar"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                writer = Writer(tar, manifest, scratch)
                yield writer
                writer.finish()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        shutil.rmtree(scratch)


@dataclass(slots=True)
class Reader:
    """A backup whose every byte was checked."""

    manifest: Manifest
    _tar: tarfile.TarFile

    @contextmanager
    def open(self, name: str) -> Iterator[Any]:
        member = self._tar.extractfile(name) if name in self.manifest.members else None
        if member is None:
            raise UnableToReadBackup(f"{name} is not in the backup")
        with member:
            yield member

    def read(self, name: str) -> bytes:
        with self.open(name) as member:
            content: bytes = member.read()
            return content

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.manifest.members if name.startswith(prefix)]

    def extract(self, name: str, target: Path) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with self.open(name) as member, os.fdopen(descriptor, "wb") as file:
            while piece := member.read(_PIECE):
                file.write(piece)


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Checks everything before it gives anything."""
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(path, mode="r:"))
            manifest = _checked(tar)
        except FileNotFoundError:
            raise UnableToReadBackup(f"{path} is not there") from None
        except (tarfile.TarError, EOFError) as error:
            raise UnableToReadBackup(f"{path} is not a whole backup ({error}); nothing was changed") from None
        yield Reader(manifest, tar)


def _checked(tar: tarfile.TarFile) -> Manifest:
    found: dict[str, dict[str, Any]] = {}
    special: dict[str, bytes] = {}
    for info in tar:
        if not info.isreg() or info.issparse() or not is_safe(info.name) or info.name in found or info.name in special:
            raise UnableToReadBackup(f"the backup holds {info.name[:80]!r}, which is not ours; nothing was changed")
        if info.name in {MANIFEST, SEAL}:
            special[info.name] = _member(tar, info, _MANIFEST_LARGEST)
        else:
            found[info.name] = {"size": info.size, "sha256": _hash(tar, info)}
    if set(special) != {MANIFEST, SEAL}:
        raise UnableToReadBackup("the backup has no end, so it was cut off; nothing was changed")
    if hashlib.sha256(special[MANIFEST]).hexdigest().encode() != special[SEAL]:
        raise UnableToReadBackup("the backup's manifest was changed; nothing was changed here")
    try:
        manifest = msgspec.json.decode(special[MANIFEST], type=Manifest)
    except msgspec.DecodeError as error:
        raise UnableToReadBackup(
            f"the backup's manifest is not as we write it ({error}); nothing was changed"
        ) from None
    if manifest.members != found:
        names = {*manifest.members, *found}
        wrong = sorted(name for name in names if manifest.members.get(name) != found.get(name))
        raise UnableToReadBackup(f"{wrong[0]} in the backup was changed or is damaged; nothing was changed here")
    return manifest


def is_safe(name: str) -> bool:
    """Below the folder it is put into, and spelled in the one way that stays there when its beginning is cut off."""
    path = PurePosixPath(name)
    return (
        bool(path.parts)
        and str(path) == name
        and "\0" not in name
        and not path.is_absolute()
        and ".." not in path.parts
    )


def _member(tar: tarfile.TarFile, info: tarfile.TarInfo, largest: int) -> bytes:
    file = tar.extractfile(info)
    if file is None or info.size > largest:
        raise UnableToReadBackup(f"{info.name} is not as we write it; nothing was changed")
    content: bytes = file.read()
    return content


def _hash(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    file = tar.extractfile(info)
    digest = hashlib.sha256()
    read: Callable[[int], bytes] = file.read if file is not None else lambda _: b""
    while piece := read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()
