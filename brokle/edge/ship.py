"""The shipper's process: one per data dir, no Django."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

from brokle.edge import signals
from brokle.edge.resp import RedisLink
from brokle.edge.rooms import load_rooms
from brokle.edge.runtime import RuntimeSettings
from brokle.edge.shipper import Shipper
from brokle.edge.sinks import ClickHouseSink, Sink, UsageSink
from brokle.edge.watch import Watch, configure_logs
from brokle.settings.env import env

log = logging.getLogger("brokle.edge.ship")


def build() -> Shipper:
    settings = RuntimeSettings.read(env)
    rooms = load_rooms()
    clickhouse = ClickHouseSink(env.text("CLICKHOUSE_URL"), [table for room in rooms for table in room.tables])
    usage = UsageSink(env.text("DATABASE_URL"), [usage for room in rooms for usage in room.usages])
    sinks: list[Sink] = [clickhouse, usage]
    kinds = {clickhouse.name: sorted(clickhouse.kinds), usage.name: sorted(usage.kinds)}
    return Shipper(settings.data_dir / "spool", sinks, kinds)


def announcer(redis: RedisLink) -> Callable[[dict[str, list[bytes]]], None]:
    """Tells the console what has become readable; rooms say whom to tell."""
    speakers = [room.announce for room in load_rooms() if room.announce is not None]

    def announce(records: dict[str, list[bytes]]) -> None:
        for speak in speakers:
            for room, kind, data in speak(records):
                signals.publish(redis, room, kind, data)

    return announce


async def run() -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    stop: Callable[[], None] = stopping.set
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    shipper = build()
    if not shipper.acquire():
        log.error("another shipper serves this data dir")
        return 1
    watch = Watch(env, "shipper")
    watch.start()
    redis = RedisLink(env.text("REDIS_URL"))
    await redis.start()
    shipper.after_batch.append(announcer(redis))
    await shipper.run(stopping)
    await redis.stop()
    await asyncio.to_thread(watch.stop)
    return 0


def main() -> None:
    configure_logs(env)
    sys.exit(asyncio.run(run()))


if __name__ == "__main__":
    main()
