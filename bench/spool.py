"""Appends to the spool in one process: `python -m bench.spool`."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from brokle.edge.frames import kind_prefix
from brokle.edge.spool import MONEY, TELEMETRY, Spool, SpoolSettings

PAYLOAD = b"x" * 400
COUNT, ROUNDS = 200_000, 5


async def append_all(folder: Path) -> float:
    spool = Spool(folder, SpoolSettings(max_bytes=10**11))
    await spool.start()
    prefix = kind_prefix("request")
    began = time.perf_counter()
    for number in range(COUNT):
        spool.append(MONEY, prefix, PAYLOAD)
        if number % 500 == 0:
            await asyncio.sleep(0)
    seconds = time.perf_counter() - began
    await spool.stop()
    return COUNT / seconds


async def append_durable(folder: Path) -> float:
    spool = Spool(folder, SpoolSettings(max_bytes=10**11))
    await spool.start()
    prefix = kind_prefix("event")
    batch = [PAYLOAD] * 50
    began = time.perf_counter()
    for _ in range(20):
        await asyncio.gather(*(spool.append_durable(TELEMETRY, prefix, batch) for _ in range(32)))
    seconds = time.perf_counter() - began
    await spool.stop()
    return 20 * 32 * 50 / seconds


def median_of(run) -> float:
    rates = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rates.append(asyncio.run(run(Path(folder))))
    return statistics.median(rates)


if __name__ == "__main__":
    print(f"spool, one process, records of 400 bytes, median of {ROUNDS}")
    print(f"  append                              {median_of(append_all):12,.0f} records/s")
    print(f"  append_durable, 32 callers of 50    {median_of(append_durable):12,.0f} records/s")
