"""Carries segments from the spool to every sink, each record at least once, stored once.

A batch is a set of segments written down in a manifest before anything is sent, so that a second try after a crash
sends the same chunks under the same tokens. A segment is deleted only after every sink confirmed.
"""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brokle.edge.frames import Damage, read
from brokle.edge.quarantine import Quarantine
from brokle.edge.segments import adopt_orphans, clear_unborn, lag_seconds
from brokle.edge.sinks import RecordsRejected, Sink, SinkDown
from brokle.edge.spool import CLOSED
from brokle.kernel.locks import FileLock
from brokle.kernel.metrics import counter, gauge
from brokle.kernel.tracing import CONSUMER, tracer

log = logging.getLogger("brokle.edge.shipper")

_shipped = counter("brokle_spool_shipped_total", "Records that every sink has.").of()
_sink_up = gauge("brokle_sink_up", "1 while the sink takes records.", "sink", merge="min")

MANIFEST = ".batch"
_CHUNK = 20_000
_BATCH_SEGMENTS = 64
_BATCH_BYTES = 64 * 1024 * 1024
_BACKOFF_MAX_S = 30.0


@dataclass(slots=True)
class Batch:
    """Segments shipped together and the sinks that already have them."""

    name: str
    segments: list[str]
    done: list[str] = field(default_factory=list)

    def path(self, folder: Path) -> Path:
        return folder / f"{self.name}{MANIFEST}"

    def save(self, folder: Path) -> None:
        temporary = folder / f".{self.name}.tmp"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump({"segments": self.segments, "done": self.done}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path(folder))

    @classmethod
    def load(cls, path: Path) -> "Batch":
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(path.name.removesuffix(MANIFEST), content["segments"], content["done"])


@dataclass(slots=True)
class _Health:
    """A sink that is down is left alone for a while; the others go on."""

    failures: int = 0
    retry_at: float = 0.0
    error: str = ""


class Shipper:
    """One per data dir, ensured by a lock on the folder."""

    def __init__(self, folder: Path, sinks: Sequence[Sink], kinds_of: dict[str, list[str]]) -> None:
        self._folder = folder
        self._sinks = {sink.name: sink for sink in sinks}
        self._kinds_of = kinds_of
        self._health = {sink.name: _Health() for sink in sinks}
        self._shipped = 0
        self._quarantine = Quarantine(folder / "quarantine")
        self._lock = FileLock(folder / "shipper.lock")
        self.after_batch: list[Callable[[dict[str, list[bytes]]], None]] = []

    def acquire(self) -> bool:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._lock.acquire():
            return False
        for unfinished in self._folder.glob(".*.tmp"):
            unfinished.unlink(missing_ok=True)
        return True

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; then one last round takes what the drained processes left."""
        while not stopping.is_set():
            worked = await self.round()
            if not worked:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await stopping.wait()
        await self.round()

    async def round(self) -> bool:
        """One look at the folder. True when something was delivered."""
        adopt_orphans(self._folder)
        clear_unborn(self._folder)
        batches = self._open_batches()
        taken = {name for batch in batches for name in batch.segments}
        fresh = self._form_batch(taken)
        if fresh is not None:
            batches.append(fresh)
        worked = False
        for batch in batches:
            worked = await self._ship(batch) or worked
        self._write_status()
        return worked

    def _open_batches(self) -> list[Batch]:
        return [Batch.load(path) for path in sorted(self._folder.glob(f"*{MANIFEST}"))]

    def _form_batch(self, taken: set[str]) -> Batch | None:
        segments: list[str] = []
        size = 0
        for path in sorted(self._folder.glob(f"*{CLOSED}"), key=lambda p: p.name.split("-", 1)[1]):
            if path.name in taken:
                continue
            segments.append(path.name)
            size += path.stat().st_size
            if len(segments) >= _BATCH_SEGMENTS or size >= _BATCH_BYTES:
                break
        if not segments:
            return None
        batch = Batch(f"{time.time_ns():020d}", segments)
        batch.save(self._folder)
        return batch

    async def _ship(self, batch: Batch) -> bool:
        waiting = [name for name in self._sinks if name not in batch.done and self._may_try(name)]
        if not waiting and set(batch.done) < set(self._sinks):
            return False
        with tracer.begin("ship", CONSUMER) as span:
            span.set("brokle.batch", batch.name)
            records = self._read(batch)
            for name in waiting:
                if await self._deliver(batch, name, records):
                    batch.done.append(name)
                    batch.save(self._folder)
            if set(batch.done) >= set(self._sinks):
                self._finish(batch, records)
        return bool(waiting)

    def _may_try(self, name: str) -> bool:
        return time.monotonic() >= self._health[name].retry_at

    async def _deliver(self, batch: Batch, name: str, records: dict[str, list[bytes]]) -> bool:
        health = self._health[name]
        try:
            await self._insert(batch, self._sinks[name], records)
        except SinkDown as error:
            health.failures += 1
            health.retry_at = time.monotonic() + min(0.5 * 2**health.failures, _BACKOFF_MAX_S)
            if health.error != str(error):
                log.warning("sink is down", extra={"sink": name, "reason": str(error)})
            health.error = str(error)
            return False
        health.failures, health.retry_at, health.error = 0, 0.0, ""
        return True

    async def _insert(self, batch: Batch, sink: Sink, records: dict[str, list[bytes]]) -> None:
        kinds = self._kinds_of.get(sink.name, [])
        with tracer.span(f"ship {sink.name}") as span:
            span.set("brokle.sink", sink.name)
            span.set("brokle.segment", batch.segments[0])
            span.set("brokle.segments", len(batch.segments))
            span.set("brokle.rows", sum(len(records.get(kind, [])) for kind in kinds))
            already = self._quarantine.count
            try:
                for kind in kinds:
                    payloads = records.get(kind, [])
                    for start in range(0, len(payloads), _CHUNK):
                        end = min(start + _CHUNK, len(payloads))
                        await self._deliver_chunk(sink, kind, payloads, start, end, batch)
            except SinkDown as error:
                span.fail(str(error))
                raise
            span.set("brokle.quarantined", self._quarantine.count - already)

    async def _deliver_chunk(
        self, sink: Sink, kind: str, payloads: list[bytes], start: int, end: int, batch: Batch
    ) -> None:
        """A chunk the sink rejects is halved until the bad records stand alone; those go to quarantine."""
        token = f"{batch.name}:{kind}:{start}-{end}"
        try:
            await asyncio.to_thread(sink.deliver, kind, payloads[start:end], token)
        except RecordsRejected as error:
            if end - start == 1:
                self._quarantine.keep_record(f"{batch.name}-{sink.name}", kind, payloads[start], str(error))
                return
            middle = (start + end) // 2
            await self._deliver_chunk(sink, kind, payloads, start, middle, batch)
            await self._deliver_chunk(sink, kind, payloads, middle, end, batch)

    def _read(self, batch: Batch) -> dict[str, list[bytes]]:
        records: dict[str, list[bytes]] = {}
        for name in batch.segments:
            try:
                data = (self._folder / name).read_bytes()
            except FileNotFoundError:
                continue
            for item in read(data):
                if isinstance(item, Damage):
                    self._quarantine.keep_damage(name, item)
                else:
                    records.setdefault(item.kind, []).append(item.payload)
        return records

    def _finish(self, batch: Batch, records: dict[str, list[bytes]]) -> None:
        for name in batch.segments:
            (self._folder / name).unlink(missing_ok=True)
        batch.path(self._folder).unlink(missing_ok=True)
        count = sum(len(payloads) for payloads in records.values())
        self._shipped += count
        _shipped.inc(count)
        for listener in self.after_batch:
            listener(records)

    def _write_status(self) -> None:
        for name, health in self._health.items():
            _sink_up.of(name).set(0 if health.error else 1)
        temporary = self._folder / ".status.tmp"
        temporary.write_text(json.dumps(self.status()), encoding="utf-8")
        temporary.replace(self._folder / "status.json")

    def status(self) -> dict[str, Any]:
        return {
            "at": time.time(),
            "lag_s": round(lag_seconds(self._folder), 3),
            "shipped": self._shipped,
            "quarantined": self._quarantine.count,
            "sinks": {name: health.error or "ok" for name, health in self._health.items()},
        }
