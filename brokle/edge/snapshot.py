"""The edge's read model: objects by kind and id, loaded whole once, then kept current by ordered deltas.

A Redis hash per kind holds the whole state, a stream holds the deltas, an epoch tells a rebuilt Redis from this one.
Deltas carry the object itself, so applying one twice, or on top of a newer full read, does no harm.
"""

import asyncio
import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import hiredis

from brokle.edge.resp import RedisDown, RedisLink

T = TypeVar("T")
log = logging.getLogger("brokle.edge.snapshot")

META = "bk:snap:meta"
STREAM = "bk:snap:deltas"
_HASH = "bk:snap:all:"
_SLICE = 1000
_DECODED_MAX = 20_000
_FRAME = struct.Struct("<HHII")
_MAGIC = b"BKSNAP1\n"


def hash_name(kind: str) -> str:
    return _HASH + kind


class Kind(Generic[T]):
    """Objects of one kind. Bytes are kept for all of them, decoded ones for those in use."""

    __slots__ = ("_decode", "_decoded", "listeners", "name", "raw")

    def __init__(self, name: str, decode: Callable[[bytes], T]) -> None:
        self.name = name
        self.raw: dict[str, bytes] = {}
        self._decode = decode
        self._decoded: dict[str, T] = {}
        self.listeners: list[Callable[[str], None]] = []

    def find(self, object_id: str) -> T | None:
        found = self._decoded.get(object_id)
        if found is not None:
            return found
        raw = self.raw.get(object_id)
        if raw is None:
            return None
        if len(self._decoded) >= _DECODED_MAX:
            self._decoded.clear()
        value = self._decoded[object_id] = self._decode(raw)
        return value

    def put(self, object_id: str, raw: bytes | None) -> None:
        if raw is None:
            self.raw.pop(object_id, None)
        else:
            self.raw[object_id] = raw
        self._decoded.pop(object_id, None)
        for listener in self.listeners:
            listener(object_id)

    def __len__(self) -> int:
        return len(self.raw)


class Snapshot:
    """Registered kinds and the version they stand at. Kinds nobody registered are not kept."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind[Any]] = {}
        self.epoch = ""
        self.version = 0

    def register(self, name: str, decode: Callable[[bytes], T]) -> Kind[T]:
        kind = self.kinds[name] = Kind(name, decode)
        return kind

    def apply(self, kind_name: str, object_id: str, raw: bytes | None) -> None:
        kind = self.kinds.get(kind_name)
        if kind is not None:
            kind.put(object_id, raw)


class SnapshotLoader:
    """Feeds one process's snapshot: disk copy, then Redis, then the stream for as long as it runs."""

    def __init__(self, snapshot: Snapshot, redis: RedisLink, follow: RedisLink, disk: Path | None) -> None:
        self._snapshot = snapshot
        self._redis = redis
        self._follow = follow
        self._disk = disk
        self._task: asyncio.Task[None] | None = None
        self._saver: asyncio.Task[None] | None = None
        self.is_loaded = False
        self.confirmed_at = time.monotonic()

    def age_s(self) -> float:
        """Since Redis last said that nothing newer is there, or gave it."""
        return time.monotonic() - self.confirmed_at

    async def start(self) -> None:
        """Loads before the process listens; without Redis the last good state on disk serves."""
        if self._disk is not None and read_disk(self._disk, self._snapshot):
            self.is_loaded = True
        try:
            await self._load_all()
        except (RedisDown, hiredis.ReplyError) as error:
            log.warning("snapshot from redis is not available", extra={"reason": str(error)})
        self._task = asyncio.create_task(self._follow_stream())
        if self._disk is not None:
            self._saver = asyncio.create_task(self._save_when_changed(self._disk))

    async def stop(self) -> None:
        for task in (self._task, self._saver):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in (self._task, self._saver) if t is not None), return_exceptions=True)

    async def _load_all(self) -> None:
        """Reads in slices; what changes meanwhile is in the stream after the version read first."""
        epoch, version = await self._read_meta()
        if not epoch:
            return
        for kind in self._snapshot.kinds.values():
            seen: set[str] = set()
            async for object_id, raw in self._scan(kind.name):
                seen.add(object_id)
                if kind.raw.get(object_id) != raw:
                    kind.put(object_id, raw)
            await self._forget_missing(kind, seen)
        self._snapshot.epoch, self._snapshot.version = epoch, version
        self.is_loaded = True

    async def _forget_missing(self, kind: Kind[Any], seen: set[str]) -> None:
        gone = [object_id for object_id in kind.raw if object_id not in seen]
        for number, object_id in enumerate(gone, start=1):
            kind.put(object_id, None)
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    async def _read_meta(self) -> tuple[str, int]:
        epoch, version = await self._redis.ask("HMGET", META, "epoch", "version")
        return (epoch.decode() if epoch else "", int(version or 0))

    async def _scan(self, kind: str) -> Any:
        cursor = b"0"
        while True:
            cursor, flat = await self._redis.ask("HSCAN", hash_name(kind), cursor, "COUNT", _SLICE)
            for index in range(0, len(flat), 2):
                yield flat[index].decode(), flat[index + 1]
            if cursor == b"0":
                return
            await asyncio.sleep(0)

    async def _follow_stream(self) -> None:
        while True:
            try:
                await self._follow_once()
            except RedisDown:
                await asyncio.sleep(0.2)
            except hiredis.ReplyError as error:
                log.warning("snapshot stream failed", extra={"reason": str(error)})
                await asyncio.sleep(0.5)

    async def _follow_once(self) -> None:
        epoch, version = await self._read_meta()
        if epoch and (epoch != self._snapshot.epoch or version < self._snapshot.version):
            await self._load_all()
        last = f"{self._snapshot.version}-0"
        reply = await self._follow.ask("XREAD", "COUNT", 500, "BLOCK", 1000, "STREAMS", STREAM, last)
        self.confirmed_at = time.monotonic()
        if not reply:
            return
        for entry_id, fields in reply[0][1]:
            version = int(entry_id.split(b"-", 1)[0])
            if version != self._snapshot.version + 1 or not fields[1]:
                await self._load_all()  # a gap, or the compiler's mark that everything is new
                return
            self._apply(fields)
            self._snapshot.version = version

    def _apply(self, fields: list[bytes]) -> None:
        kind, object_id, raw = fields[1].decode(), fields[3].decode(), fields[5] if len(fields) > 5 else None
        self._snapshot.apply(kind, object_id, raw)

    async def _save_when_changed(self, path: Path) -> None:
        saved = (self._snapshot.epoch, self._snapshot.version)
        while True:
            await asyncio.sleep(5)
            now = (self._snapshot.epoch, self._snapshot.version)
            if now != saved and now[0]:
                await write_disk(path, self._snapshot)
                saved = now


async def write_disk(path: Path, snapshot: Snapshot) -> None:
    """A few objects a turn of the loop; whole or not at all. Several processes may race: each writes a whole file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    epoch = snapshot.epoch.encode()
    crc = 0
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_MAGIC)
        head = struct.pack("<HQ", len(epoch), snapshot.version) + epoch
        crc = zlib.crc32(head, crc)
        file.write(head)
        for kind in snapshot.kinds.values():
            name = kind.name.encode()
            for number, (object_id, raw) in enumerate(list(kind.raw.items()), start=1):
                identity = object_id.encode()
                frame = _FRAME.pack(len(name), len(identity), len(raw), 0) + name + identity + raw
                crc = zlib.crc32(frame, crc)
                file.write(frame)
                if number % _SLICE == 0:
                    await asyncio.sleep(0)
        file.write(_FRAME.pack(0xFFFF, 0, 0, crc))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_disk(path: Path, snapshot: Snapshot) -> bool:
    """False when there is no copy or it is damaged; then nothing was changed."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    objects = _parse_disk(data)
    if objects is None:
        return False
    epoch, version, found = objects
    for kind, object_id, raw in found:
        snapshot.apply(kind, object_id, raw)
    snapshot.epoch, snapshot.version = epoch, version
    return True


def _parse_disk(data: bytes) -> tuple[str, int, list[tuple[str, str, bytes]]] | None:
    start = len(_MAGIC)
    if data[:start] != _MAGIC or len(data) < start + 10 + _FRAME.size:
        return None
    end = len(data) - _FRAME.size
    if data[end:] != _FRAME.pack(0xFFFF, 0, 0, zlib.crc32(data[start:end])):
        return None
    epoch_size, version = struct.unpack_from("<HQ", data, start)
    position = start + 10 + epoch_size
    epoch = data[start + 10 : position].decode()
    return epoch, version, list(_frames(data, position, end))


def _frames(data: bytes, position: int, end: int) -> Iterator[tuple[str, str, bytes]]:
    while position < end:
        name_size, id_size, raw_size, _ = _FRAME.unpack_from(data, position)
        position += _FRAME.size
        name = data[position : position + name_size].decode()
        position += name_size
        object_id = data[position : position + id_size].decode()
        position += id_size
        yield name, object_id, data[position : position + raw_size]
        position += raw_size
