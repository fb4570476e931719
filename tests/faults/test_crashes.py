"""Writers and the shipper are killed again and again; what was acknowledged is in ClickHouse, each record once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import brokle
from brokle.engines.clickhouse_url import connect
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder

pytestmark = pytest.mark.engines

_WRITER = """
import asyncio, json, os, sys
from pathlib import Path
from brokle.edge.frames import kind_prefix
from brokle.edge.spool import TELEMETRY, Spool, SpoolSettings

async def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    spool = Spool(folder, SpoolSettings(segment_bytes=30_000, segment_age_s=0.2))
    await spool.start()
    prefix, number = kind_prefix("event"), 0
    while True:
        lines = [
            json.dumps({"event_id": f"{name}-{number + i}", "organization_id": "org_crash", "project_id": "p",
                        "environment_id": "e", "name": "crash", "kind": "track", "at": "2026-11-20 10:00:00"}).encode()
            for i in range(20)
        ]
        await spool.append_durable(TELEMETRY, prefix, lines)
        number += 20
        os.write(1, b"%d\\n" % number)

asyncio.run(main())
"""

_SHIPPER = """
import asyncio, sys
from pathlib import Path
from brokle.edge.shipper import Shipper
from brokle.edge.sinks import ClickHouseSink, Table

async def main():
    sink = ClickHouseSink(sys.argv[2], [Table("event", "events")])
    shipper = Shipper(Path(sys.argv[1]), [sink], {"clickhouse": ["event"]})
    assert shipper.acquire()
    if sys.argv[3] == "once":
        while await shipper.round():
            pass
    else:
        await shipper.run(asyncio.Event())

asyncio.run(main())
"""


def spawn(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(brokle.HOUSE)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, env=environment)


def read_acknowledged(writer: subprocess.Popen[bytes], seconds: float) -> int:
    """Lets it write for a moment after its first acknowledgement, kills it, returns the last one seen."""
    assert writer.stdout is not None
    seen = os.read(writer.stdout.fileno(), 4096)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen += os.read(writer.stdout.fileno(), 4096)
    writer.kill()
    seen += writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    whole = seen[: seen.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else 0


def crash_often(spool: Path, url: str, rounds: int) -> dict[str, int]:
    chance = random.Random(20261120)  # noqa: S311 - when to kill, not a secret
    acknowledged = {}
    shipper = spawn(_SHIPPER, str(spool), url, "forever")
    for number in range(rounds):
        name = f"w{number}"
        acknowledged[name] = read_acknowledged(spawn(_WRITER, str(spool), name), chance.uniform(0.0, 0.15))
        if chance.random() < 0.4:
            shipper.send_signal(signal.SIGKILL)
            shipper.communicate()
            shipper = spawn(_SHIPPER, str(spool), url, "forever")
    shipper.send_signal(signal.SIGKILL)
    shipper.communicate()
    last = spawn(_SHIPPER, str(spool), url, "once")
    last.communicate(timeout=300)
    assert last.returncode == 0
    return acknowledged


@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=pytest.mark.long)])
def test_acknowledged_is_stored_and_nothing_twice(tmp_path, rounds):
    base = os.environ["CLICKHOUSE_URL"]
    database = f"crash_{os.getpid()}_{rounds}"
    admin = connect(base)
    admin.command(f"CREATE DATABASE {database}")
    url = base.rsplit("/", 1)[0] + f"/{database}"
    list(ClickHouseMigrator(url, clickhouse_folder()).up(None))

    acknowledged = crash_often(tmp_path, url, rounds)

    stored = [row[0] for row in connect(url).query("SELECT event_id FROM events FINAL").result_rows]
    admin.command(f"DROP DATABASE {database} SYNC")
    expected = {f"{name}-{number}" for name, count in acknowledged.items() for number in range(count)}
    assert len(stored) == len(set(stored))
    assert expected <= set(stored)
    assert len(acknowledged) == rounds
    left = {path.suffix for path in tmp_path.iterdir() if path.is_file()}
    assert left <= {".lock", ".json", ".new"}
    print(f"{rounds} rounds, {len(expected)} acknowledged, {len(stored)} stored, 0 lost, 0 doubled")  # noqa: T201 - the figure of docs/benchmarks.md
