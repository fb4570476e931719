import asyncio
import os
import time

import pytest

from brokle.edge.resp import RedisLink
from brokle.edge.snapshot import META, STREAM, Snapshot, SnapshotLoader, hash_name, read_disk, write_disk


async def publish(redis, version, object_id, raw, kind="key"):
    """What the compiler's script does for one object."""
    fields = ["kind", kind, "id", object_id]
    if raw is None:
        await redis.ask("HDEL", hash_name(kind), object_id)
    else:
        await redis.ask("HSET", hash_name(kind), object_id, raw)
        fields += ["raw", raw]
    await redis.ask("XADD", STREAM, f"{version}-0", *fields)
    await redis.ask("HSET", META, "version", version, "epoch", "epo_1")


@pytest.fixture
async def follower(redis, tmp_path):
    """A second process's view: snapshot, its kind, and a way to wait for a version."""
    follow = RedisLink(os.environ["REDIS_URL"])  # noqa: TID251 - the suite's own Redis
    await follow.start()
    snapshot = Snapshot()
    keys = snapshot.register("key", lambda raw: raw.decode())
    loader = SnapshotLoader(snapshot, redis, follow, tmp_path / "edge.snap")

    async def at(version):
        async with asyncio.timeout(60):
            while snapshot.version != version:
                await asyncio.sleep(0.002)

    yield snapshot, keys, loader, at
    await loader.stop()
    await follow.stop()


async def test_it_loads_whole_then_follows_changes(redis, follower):
    _snapshot, keys, loader, at = follower
    await publish(redis, 1, "a", "one")
    await publish(redis, 2, "b", "two")
    await loader.start()

    assert (keys.find("a"), keys.find("b"), keys.find("c")) == ("one", "two", None)
    await publish(redis, 3, "a", "changed")
    await publish(redis, 4, "b", None)
    await at(4)
    assert (keys.find("a"), keys.find("b"), len(keys)) == ("changed", None, 1)


async def test_a_gap_in_the_stream_means_reading_everything_again(redis, follower):
    _snapshot, keys, loader, at = follower
    await publish(redis, 1, "a", "one")
    await loader.start()
    await redis.ask("HSET", hash_name("key"), "missed", "two")
    await publish(redis, 9, "b", "three")

    await at(9)
    assert (keys.find("a"), keys.find("missed"), keys.find("b")) == ("one", "two", "three")


async def test_a_rebuilt_redis_replaces_what_was_there(redis, follower):
    snapshot, keys, loader, at = follower
    await publish(redis, 5, "old", "one")
    await loader.start()
    await redis.ask("FLUSHDB")
    await redis.ask("HSET", hash_name("key"), "new", "two")
    await redis.ask("XADD", STREAM, "6-0", "kind", "", "id", "")
    await redis.ask("HSET", META, "version", 6, "epoch", "epo_2")

    await at(6)
    assert (keys.find("old"), keys.find("new"), snapshot.epoch) == (None, "two", "epo_2")


async def test_a_wiped_redis_takes_nothing_away(redis, follower):
    _snapshot, keys, loader, _at = follower
    await publish(redis, 1, "a", "one")
    await loader.start()
    await loader.stop()
    await redis.ask("FLUSHDB")
    await loader._follow_once()

    assert keys.find("a") == "one"


async def test_the_disk_copy_serves_without_redis(tmp_path):
    snapshot = Snapshot()
    snapshot.register("key", bytes).put("a", b"one")
    snapshot.epoch, snapshot.version = "epo_1", 7
    await write_disk(tmp_path / "edge.snap", snapshot)
    away = RedisLink("unix:///nonexistent.sock")
    await away.start()
    again = Snapshot()
    keys = again.register("key", bytes)
    loader = SnapshotLoader(again, away, away, tmp_path / "edge.snap")

    await loader.start()

    assert (loader.is_loaded, again.version, keys.find("a")) == (True, 7, b"one")
    await loader.stop()
    await away.stop()


async def test_a_damaged_disk_copy_changes_nothing(tmp_path):
    path = tmp_path / "edge.snap"
    snapshot = Snapshot()
    snapshot.register("key", bytes).put("a", b"one" * 20)
    snapshot.epoch, snapshot.version = "epo_1", 7
    await write_disk(path, snapshot)
    whole = path.read_bytes()

    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        fresh = Snapshot()
        keys = fresh.register("key", bytes)
        assert read_disk(path, fresh) is False
        assert (len(keys), fresh.version) == (0, 0)


async def test_a_hundred_thousand_objects_change_without_holding_the_loop(redis, follower):
    _snapshot, keys, loader, at = follower
    for start in range(0, 100_000, 5_000):
        pairs = [text for n in range(start, start + 5_000) for text in (f"{n:064x}", "x" * 150)]
        await redis.ask("HSET", hash_name("key"), *pairs)
    await publish(redis, 1, "a", "one")
    await loader.start()
    assert len(keys) == 100_001
    held = []

    async def feel():
        """This thread's own time between two turns of the loop; bench.snapshot measures the clock's."""
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.0005)
            now = time.thread_time()
            held.append(now - last)
            last = now

    watcher = asyncio.create_task(feel())
    for version in range(2, 202):
        await publish(redis, version, f"{version:064x}", "changed")
    await at(201)
    watcher.cancel()

    held.sort()
    assert keys.find(f"{200:064x}") == "changed"
    # Reading all again would hold the loop for 150 ms and more, at each change.
    assert held[int(len(held) * 0.99)] < 0.05
