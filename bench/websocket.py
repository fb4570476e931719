"""Event published → received on `/ws`, with 1,000 connected clients: `python -m bench.websocket [clients] [events]`."""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import redis.asyncio
from rich.console import Console
from rich.table import Table

from brokle.edge.signals import channel, notice
from tests.house import ADMIN, House, house
from tests.live.visitor import Visitor, hear, room_of, say


async def watch(visitor: Visitor, room: str, ready: asyncio.Semaphore, count: int, delays: list[float]) -> None:
    async with visitor.socket(ping_interval=None, compression=None) as socket:
        await say(socket, "subscribe", room=room)
        await hear(socket)
        ready.release()
        while count:
            frame = await hear(socket)
            delays.append(time.time() - frame["data"]["at"])
            count -= 1


async def measure(home: House, clients: int, events: int) -> list[float]:
    visitor = Visitor(home)
    visitor.sign_in(*ADMIN)
    room, delays = room_of(home), []
    ready = asyncio.Semaphore(0)
    watchers = []
    for _ in range(clients):
        watchers.append(asyncio.create_task(watch(visitor, room, ready, events, delays)))
        await asyncio.sleep(0.002)
    for _ in range(clients):
        await ready.acquire()
    client = redis.asyncio.Redis.from_url(home.run_file()["urls"]["REDIS_URL"])
    for _ in range(events):
        await client.publish(channel(room), notice(room, "metrics.updated", {"at": time.time()}))
        await asyncio.sleep(0.5)
    await asyncio.gather(*watchers)
    await client.aclose()
    return delays


def main() -> None:
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    events = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with (
        tempfile.TemporaryDirectory() as folder,
        house(Path(folder) / "data", workers=2, BROKLE_ADMIN_EMAIL=ADMIN[0], BROKLE_ADMIN_PASSWORD=ADMIN[1]) as home,
    ):
        delays = sorted(asyncio.run(measure(home, clients, events)))
    cuts = statistics.quantiles(delays, n=100)
    table = Table("clients", "events", "received", "p50 ms", "p95 ms", "p99 ms", "worst ms", "figure")
    figures = [f"{value * 1000:.1f}" for value in (cuts[49], cuts[94], cuts[98], delays[-1])]
    table.add_row(str(clients), str(events), str(len(delays)), *figures, "p95 < 100 ms")
    Console().print(table)


if __name__ == "__main__":
    main()
