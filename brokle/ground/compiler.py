"""Publishes the edge's snapshot: the whole of it into Redis hashes, every change as the next delta of the stream."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import connection, transaction

from brokle.edge.snapshot import META, STREAM, hash_name
from brokle.ground.models import SnapshotChange, SnapshotVersion
from brokle.kernel.extensions import SnapshotPart, snapshot_parts
from brokle.kernel.ids import new_id

log = logging.getLogger("brokle.ground.compiler")

_LEADER_LOCK = 0x534E4150
_BATCH = 500
_STREAM_LENGTH = 100_000

# The object, its delta and the version change together, so that a reader never sees one without the other.
_PUBLISH = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[3], ARGV[4], ARGV[6])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[2] .. '-0', 'kind', ARGV[3], 'id', ARGV[4], 'raw', ARGV[6])
else
  redis.call('HDEL', KEYS[3], ARGV[4])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[2] .. '-0', 'kind', ARGV[3], 'id', ARGV[4])
end
redis.call('HSET', KEYS[1], 'version', ARGV[2])
return 1
"""


class UnableToPublish(Exception):
    """Redis holds another epoch: it was wiped or restored; everything must be published anew."""


class Compiler:
    """One leader at a time, by advisory lock; the lock lives as long as this database session."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._publish = redis.register_script(_PUBLISH)
        self._parts: dict[str, SnapshotPart] = {part.kind: part for part in snapshot_parts.collect()}

    def lead(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LEADER_LOCK])
            return bool(cursor.fetchone()[0])

    def resign(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LEADER_LOCK])

    def ensure(self) -> None:
        """Publishes everything when Redis does not hold this installation's snapshot."""
        state = self._state()
        found = self._redis.hget(META, "epoch")
        if found is None or found.decode() != state.epoch or self._redis.hget(META, "version") is None:
            self.publish_all()

    def publish_all(self) -> int:
        """A new epoch; the version goes on counting, so that nobody mistakes old deltas for new ones."""
        with transaction.atomic():
            state = SnapshotVersion.objects.select_for_update().get(id=1)
            state.epoch = new_id("epo")
            state.version += 1
            SnapshotChange.objects.all().delete()
            state.save()
        self._redis.delete(META, STREAM)
        count = sum(self._publish_part(part) for part in self._parts.values())
        self._redis.xadd(STREAM, {"kind": "", "id": "", "raw": ""}, id=f"{state.version}-0")
        self._redis.hset(META, mapping={"version": state.version, "epoch": state.epoch})
        return count

    def publish_changes(self) -> int:
        """Urgent ones first. A change row goes only after its delta is out, so a crash repeats and never skips."""
        done = 0
        while True:
            with transaction.atomic():
                state = SnapshotVersion.objects.select_for_update().get(id=1)
                changes = list(SnapshotChange.objects.order_by("-urgent", "id")[:_BATCH])
                if not changes:
                    return done
                for kind, object_id in dict.fromkeys((c.kind, c.object_id) for c in changes):
                    self._publish_one(state, kind, object_id)
                SnapshotChange.objects.filter(id__in=[change.id for change in changes]).delete()
                state.save()
            done += len(changes)

    def _publish_one(self, state: SnapshotVersion, kind: str, object_id: str) -> None:
        part = self._parts.get(kind)
        raw = part.compile_one(object_id) if part else None
        known = int(self._redis.hget(META, "version") or 0)
        version = max(state.version, known) + 1
        present = "0" if raw is None else "1"
        arguments = [state.epoch, version, kind, object_id, present, raw or b"", _STREAM_LENGTH]
        if not self._publish(keys=[META, STREAM, hash_name(kind)], args=arguments):
            raise UnableToPublish
        state.version = version

    def _publish_part(self, part: SnapshotPart) -> int:
        name = hash_name(part.kind)
        self._redis.delete(name)
        count = 0
        for batch in batched(part.compile_all(), _BATCH):
            self._redis.hset(name, mapping=dict(batch))
            count += len(batch)
        return count

    @staticmethod
    def _state() -> SnapshotVersion:
        state, _ = SnapshotVersion.objects.get_or_create(id=1, defaults={"epoch": new_id("epo")})
        return state


def batched(items: Iterable[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
