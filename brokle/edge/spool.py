"""What happened, on this machine's own disk before anybody is told. The shipper carries it on.

Every append reaches the page cache before it returns, so that killing the process loses nothing; fsync follows within
the class's interval, and `append_durable` waits for it. A segment is locked while its process lives.
"""

import asyncio
import contextlib
import fcntl
import logging
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from brokle.edge.frames import frame, kind_prefix
from brokle.kernel.errors import BrokleError, RateLimited, Unavailable

log = logging.getLogger("brokle.edge.spool")

OPEN = ".open"
CLOSED = ".seg"
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordClass:
    """How a class of records is kept: how soon it is synced, and whether the reserve is for it."""

    name: str
    fsync_within_s: float
    may_use_reserve: bool


MONEY = RecordClass("money", fsync_within_s=0.05, may_use_reserve=True)
TELEMETRY = RecordClass("telemetry", fsync_within_s=0.2, may_use_reserve=False)


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    max_bytes: int = 1024 * _MB
    reserve_bytes: int = 128 * _MB
    segment_bytes: int = 4 * _MB
    segment_age_s: float = 1.0

    @classmethod
    def of(cls, max_bytes: int, reserve_bytes: int) -> "SpoolSettings":
        """Open segments reserve their room, so they must stay small beside the cap."""
        return cls(max_bytes, reserve_bytes, max(64 * 1024, min(4 * _MB, max_bytes // 64)))


class UnableToSpool(BrokleError):
    """The disk refused. Nothing of the record was kept."""

    code, status, title = "spool_failed", 503, "This cannot be recorded right now; please send it again"


class _Segment:
    """A file reserved on the disk and mapped into memory.

    A record is copied into the page cache, where killing the process cannot reach it, without a system call that
    would give the interpreter lock away.
    """

    __slots__ = ("_map", "created_at", "descriptor", "path", "room", "size")

    def __init__(self, folder: Path, name: str, room: int) -> None:
        """Locked before it gets the name under which the shipper looks for orphans."""
        self.path = folder / f"{name}{OPEN}"
        unseen = folder / f".{name}.new"
        self.descriptor = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _reserve(self.descriptor, room)
            self._map = mmap.mmap(self.descriptor, room)
        except OSError:
            os.close(self.descriptor)
            unseen.unlink(missing_ok=True)
            raise
        unseen.rename(self.path)
        self.created_at = time.monotonic()
        self.room = room
        self.size = 0

    def write(self, data: bytes) -> None:
        end = self.size + len(data)
        self._map[self.size : end] = data
        self.size = end

    def sync(self) -> None:
        os.fsync(self.descriptor)

    def close(self) -> None:
        """Synced and named closed before the lock goes, so the shipper never takes it for a dead process's.

        After an error it may be tried again.
        """
        self._map.close()
        os.ftruncate(self.descriptor, self.size)
        self.sync()
        self.path.rename(self.path.with_suffix(CLOSED))
        os.close(self.descriptor)


def _reserve(descriptor: int, size: int) -> None:
    """A full disk refuses here, not in the middle of a record."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, _MB):
        os.pwrite(descriptor, bytes(min(_MB, size - start)), start)


class _Channel:
    """The open segment of one record class, those full but not yet closed, and who waits for the disk."""

    __slots__ = ("awaited", "dirty", "full", "record_class", "segment", "synced", "waiters", "written")

    def __init__(self, record_class: RecordClass) -> None:
        self.record_class = record_class
        self.segment: _Segment | None = None
        self.full: list[_Segment] = []
        self.written = 0
        self.synced = 0
        self.dirty = asyncio.Event()
        self.awaited = asyncio.Event()
        self.waiters: list[tuple[int, asyncio.Future[None]]] = []

    def detach(self) -> None:
        """The next record opens a new segment; the sync loop closes this one, off the loop."""
        if self.segment is not None:
            self.full.append(self.segment)
            self.segment = None
            self.hurry()

    def hurry(self) -> None:
        self.dirty.set()
        self.awaited.set()

    def settle(self, full: list[_Segment], segment: _Segment | None) -> None:
        """Blocks on the disk. Runs in a thread, one at a time: what fails stays listed for the next attempt."""
        for done in full:
            done.close()
            self.full.remove(done)
        if segment is not None:
            segment.sync()


class Spool:
    """One per process. `append` may be called from the loop's thread only."""

    def __init__(self, folder: Path, settings: SpoolSettings | None = None) -> None:
        self._folder = folder
        self._settings = settings or SpoolSettings()
        self._channels = {c.name: _Channel(c) for c in (MONEY, TELEMETRY)}
        self._serial = 0
        self._used = 0
        self._disk_failed = False
        self._stopping = False
        self._sync_tasks: list[asyncio.Task[None]] = []
        self._tend_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._used = used_bytes(self._folder)
        self._sync_tasks = [asyncio.create_task(self._sync_loop(channel)) for channel in self._channels.values()]
        self._tend_task = asyncio.create_task(self._tend_loop())

    async def stop(self) -> None:
        """Returns when all that was appended is in closed segments on the disk."""
        if self._tend_task is not None:
            self._tend_task.cancel()
        self._stopping = True
        for channel in self._channels.values():
            channel.hurry()
        await asyncio.gather(*self._sync_tasks)
        for channel in self._channels.values():
            channel.detach()
            await self._sync(channel)

    def room_left(self, record_class: RecordClass) -> int:
        limit = self._settings.max_bytes
        if record_class.may_use_reserve:
            limit += self._settings.reserve_bytes
        return limit - self._used

    def check_room(self, record_class: RecordClass) -> None:
        """Asked before work is accepted: telemetry stops with 429, what costs money with 503."""
        if self.room_left(record_class) > 0 and not self._disk_failed:
            return
        if record_class.may_use_reserve:
            raise Unavailable("The record store of this server is full; try again shortly", retry_after_s=5)
        raise RateLimited("The telemetry buffer of this server is full; try again shortly", retry_after_s=5)

    def append(self, record_class: RecordClass, prefix: bytes, payload: bytes) -> None:
        """Reaches the operating system before returning; the disk within the class's interval."""
        channel = self._channels[record_class.name]
        data = frame(prefix, payload)
        size = len(data)
        segment = channel.segment
        if segment is None or segment.size + size > segment.room:
            channel.detach()
            segment = self._open(channel, size)
        segment.write(data)
        channel.written += size
        self._used += size
        channel.dirty.set()

    async def append_durable(self, record_class: RecordClass, prefix: bytes, payloads: list[bytes]) -> None:
        """Returns when all payloads are on the disk; many callers share one fsync."""
        for payload in payloads:
            self.append(record_class, prefix, payload)
        channel = self._channels[record_class.name]
        if channel.synced >= channel.written:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        channel.waiters.append((channel.written, waiter))
        channel.hurry()
        await waiter

    def _open(self, channel: _Channel, first_size: int) -> _Segment:
        self._serial += 1
        name = f"{channel.record_class.name}-{time.time_ns():020d}-{os.getpid()}-{self._serial}"
        try:
            channel.segment = _Segment(self._folder, name, max(self._settings.segment_bytes, first_size))
        except OSError as error:
            self._failed(error)
            raise UnableToSpool(retry_after_s=5) from error
        return channel.segment

    def _failed(self, error: OSError) -> None:
        if not self._disk_failed:
            log.error("spool cannot write", extra={"errno": error.errno, "reason": error.strerror})
        self._disk_failed = True

    def _synced_to(self, channel: _Channel, position: int) -> None:
        channel.synced = max(channel.synced, position)
        keep = []
        for wanted, waiter in channel.waiters:
            if wanted > channel.synced:
                keep.append((wanted, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        channel.waiters = keep

    async def _sync_loop(self, channel: _Channel) -> None:
        """Group commit: one fsync at a time, off the loop, when somebody waits or the interval is over."""
        while not self._stopping:
            await channel.dirty.wait()
            if not channel.waiters and not channel.full:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(channel.record_class.fsync_within_s):
                        await channel.awaited.wait()
            channel.dirty.clear()
            channel.awaited.clear()
            await self._sync(channel)

    async def _sync(self, channel: _Channel) -> None:
        position = channel.written
        try:
            await asyncio.to_thread(channel.settle, list(channel.full), channel.segment)
        except OSError as error:
            self._failed(error)
            self._fail_waiters(channel)
        else:
            self._synced_to(channel, position)

    def _fail_waiters(self, channel: _Channel) -> None:
        waiters, channel.waiters = channel.waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(UnableToSpool(retry_after_s=5))

    async def _tend_loop(self) -> None:
        """Rotates by age and measures the folder; a disk that refused is tried again every second."""
        while True:
            await asyncio.sleep(self._settings.segment_age_s / 2)
            now = time.monotonic()
            for channel in self._channels.values():
                segment = channel.segment
                if segment is not None and segment.size and now - segment.created_at >= self._settings.segment_age_s:
                    channel.detach()
                elif channel.full:
                    channel.hurry()
            self._used = await asyncio.to_thread(used_bytes, self._folder)
            self._disk_failed = False


def used_bytes(folder: Path) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                total += entry.stat().st_size
            except FileNotFoundError:
                continue
    return total


def recorder(spool: Spool, record_class: RecordClass, kind: str) -> Callable[[bytes], None]:
    """A bound append for one kind, for hot paths."""
    prefix = kind_prefix(kind)

    def record(payload: bytes) -> None:
        spool.append(record_class, prefix, payload)

    return record
