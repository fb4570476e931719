"""A snapshot of 100,000 keys in one process: load, memory, pauses of the loop, key checks."""

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
import redis
from rich.console import Console
from rich.table import Table

from brokle.edge.principal import KeyRecord, Keys, digest, encode_key
from brokle.edge.resp import RedisLink
from brokle.edge.snapshot import META, STREAM, Snapshot, SnapshotLoader, hash_name
from brokle.engines.layout import Layout
from brokle.engines.redis_server import Redis
from brokle.settings.env import env

PEPPER = b"p" * 32
DELTAS = 1000


def record(number: int) -> bytes:
    scopes = ["gateway", "ingest", "decide", "invoke", "admin"]
    return encode_key(KeyRecord(f"key_{number:026d}", f"org_{number % 100:026d}", "prj_1", "env_1", scopes, 0, 600))


def key(number: int) -> bytes:
    return f"bk_live_{number:012d}_{'s' * 40}_123456".encode()


def publish_all(client: redis.Redis, count: int) -> None:
    for start in range(0, count, 5000):
        batch = {digest(PEPPER, key(n)): record(n) for n in range(start, min(start + 5000, count))}
        client.hset(hash_name("key"), mapping=batch)
    client.xadd(STREAM, {"kind": "", "id": "", "raw": ""}, id="1-0")
    client.hset(META, mapping={"version": 1, "epoch": "epo_1"})


async def publish_deltas(client: redis.asyncio.Redis, count: int) -> None:
    for number in range(DELTAS):
        changed = digest(PEPPER, key(number % count))
        fields = {"kind": "key", "id": changed, "raw": record(number)}
        async with client.pipeline() as pipe:
            pipe.hset(hash_name("key"), changed, record(number))
            pipe.xadd(STREAM, fields, id=f"{number + 2}-0")
            pipe.hset(META, "version", number + 2)
            await pipe.execute()


async def watch_pauses(pauses: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter()
        pauses.append(now - last)
        last = now


def check(keys: Keys) -> float:
    """Microseconds for each of 4,000 keys among all; what a process has used before it has decoded already."""
    taken = []
    for start in range(0, 4000, 500):
        sent = [key(n) for n in range(start, start + 500)]
        began = time.perf_counter()
        for value in sent:
            keys.find(value)
        taken.append((time.perf_counter() - began) / 500)
    return statistics.median(taken) * 1e6


async def measure(url: str, count: int) -> dict[str, str]:
    process, snapshot = psutil.Process(), Snapshot()
    keys = Keys(snapshot, [PEPPER])
    links = [RedisLink(url), RedisLink(url, timeout_s=5)]
    for link in links:
        await link.start()
    loader = SnapshotLoader(snapshot, links[0], links[1], None)
    gc.collect()
    before, began = process.memory_info().rss, time.perf_counter()
    await loader.start()
    load_s = time.perf_counter() - began
    memory = process.memory_info().rss - before
    gc.collect()
    gc.freeze()
    pauses: list[float] = []
    watcher = asyncio.create_task(watch_pauses(pauses))
    client = redis.asyncio.Redis.from_url(url)
    # The publisher is another process in life; here it runs first, so that its own work is in no pause.
    publisher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.snapshot", "--publish", url, str(count)
    )
    while snapshot.version < DELTAS + 1:
        await asyncio.sleep(0.01)
    await publisher.wait()
    watcher.cancel()
    first, again = check(keys), check(keys)
    await client.aclose()
    await loader.stop()
    for link in links:
        await link.stop()
    assert len(snapshot.kinds["key"]) == count
    pauses.sort()
    return {
        "keys": f"{count:,}",
        "load s": f"{load_s:.2f}",
        "MB a process": f"{memory / 1e6:.0f}",
        "longest pause ms": f"{pauses[-1] * 1000:.2f}",
        "p99.9 pause ms": f"{pauses[int(len(pauses) * 0.999)] * 1000:.2f}",
        "first check of a key µs": f"{first:.2f}",
        "key check µs": f"{again:.2f}",
        "figure": "pause ≤ 5 ms",
    }


def main() -> None:
    if sys.argv[1:2] == ["--publish"]:
        asyncio.run(publish_deltas(redis.asyncio.Redis.from_url(sys.argv[2]), int(sys.argv[3])))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.at(Path(folder))
        layout.prepare()
        engine = Redis(layout, env.for_child())
        engine.prepare()
        child = engine.child()
        child.start()
        try:
            engine.wait_ready(child)
            publish_all(redis.Redis.from_url(engine.url), count)
            found = asyncio.run(measure(engine.url, count))
        finally:
            child.stop()
    table = Table(*found)
    table.add_row(*found.values())
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
