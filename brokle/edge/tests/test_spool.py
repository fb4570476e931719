import asyncio
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brokle.edge.frames import Record, kind_prefix, read
from brokle.edge.segments import adopt_orphans
from brokle.edge.spool import MONEY, TELEMETRY, Spool, SpoolSettings, UnableToSpool, recorder
from brokle.kernel.errors import RateLimited, Unavailable

PREFIX = kind_prefix("request")


def payloads_in(folder: Path) -> list[bytes]:
    found = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".seg", ".open"}):
        found += [item.payload for item in read(path.read_bytes()) if isinstance(item, Record)]
    return found


@pytest.fixture
async def spool(tmp_path):
    spool = Spool(tmp_path / "spool", SpoolSettings(segment_bytes=500, segment_age_s=60))
    await spool.start()
    yield spool
    await spool.stop()


async def test_an_append_is_in_the_file_before_it_returns(spool, tmp_path):
    recorder(spool, MONEY, "request")(b"one")

    assert payloads_in(tmp_path / "spool") == [b"one"]


async def test_a_durable_append_waits_for_the_disk_and_shares_the_sync(spool, tmp_path):
    await asyncio.gather(*(spool.append_durable(TELEMETRY, PREFIX, [b"%d" % n]) for n in range(40)))

    assert sorted(payloads_in(tmp_path / "spool")) == sorted(b"%d" % n for n in range(40))


async def test_a_full_segment_is_closed_and_the_next_begun(spool, tmp_path):
    for _ in range(3):
        spool.append(MONEY, PREFIX, b"x" * 200)
    await spool.append_durable(MONEY, PREFIX, [b"x" * 200])

    suffixes = sorted(p.suffix for p in (tmp_path / "spool").iterdir())
    assert suffixes == [".open", ".seg"]


async def test_who_waits_for_a_segment_that_cannot_be_closed_is_told(spool, tmp_path):
    spool.append(MONEY, PREFIX, b"x" * 400)
    (lost,) = (tmp_path / "spool").glob("money-*.open")
    lost.unlink()

    with pytest.raises(UnableToSpool):
        await spool.append_durable(MONEY, PREFIX, [b"y" * 400])
    with pytest.raises(Unavailable):
        spool.check_room(MONEY)
    assert payloads_in(tmp_path / "spool") == [b"y" * 400]


async def test_a_segment_that_could_not_be_closed_is_closed_later(spool, tmp_path):
    spool.append(MONEY, PREFIX, b"x" * 400)
    (held,) = (tmp_path / "spool").glob("money-*.open")
    in_the_way = held.with_suffix(".seg")
    in_the_way.mkdir()
    with pytest.raises(UnableToSpool):
        await spool.append_durable(MONEY, PREFIX, [b"y" * 400])
    in_the_way.rmdir()

    await spool.append_durable(MONEY, PREFIX, [b"z"])
    assert in_the_way.is_file()
    assert payloads_in(tmp_path / "spool") == [b"x" * 400, b"y" * 400, b"z"]


async def test_stopping_lets_those_who_wait_have_their_answer(tmp_path):
    spool = Spool(tmp_path, SpoolSettings(segment_bytes=500, segment_age_s=60))
    await spool.start()
    waiting = [asyncio.create_task(spool.append_durable(MONEY, PREFIX, [b"%d" % n * 300])) for n in range(5)]
    await asyncio.sleep(0)
    await spool.stop()

    assert await asyncio.gather(*waiting) == [None] * 5
    assert payloads_in(tmp_path) == [b"%d" % n * 300 for n in range(5)]
    assert {p.suffix for p in tmp_path.iterdir()} == {".seg"}


async def test_telemetry_stops_at_the_cap_and_money_at_the_reserve(tmp_path):
    spool = Spool(tmp_path, SpoolSettings(max_bytes=1000, reserve_bytes=1000))
    await spool.start()
    spool.append(TELEMETRY, PREFIX, b"x" * 1200)

    with pytest.raises(RateLimited) as telemetry:
        spool.check_room(TELEMETRY)
    spool.check_room(MONEY)
    spool.append(MONEY, PREFIX, b"x" * 1200)
    with pytest.raises(Unavailable) as money:
        spool.check_room(MONEY)
    await spool.stop()

    assert (telemetry.value.status, telemetry.value.retry_after_s) == (429, 5)
    assert (money.value.status, money.value.retry_after_s) == (503, 5)


async def test_a_disk_that_refuses_keeps_nothing_of_the_record_and_recovers(tmp_path):
    spool = Spool(tmp_path, SpoolSettings(segment_bytes=600, segment_age_s=60))
    await spool.start()
    spool.append(MONEY, PREFIX, b"whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(UnableToSpool):
            spool.append(MONEY, PREFIX, b"x" * 590)
        with pytest.raises(Unavailable):
            spool.check_room(MONEY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    spool.append(MONEY, PREFIX, b"after")
    await spool.stop()

    assert sorted(payloads_in(tmp_path)) == [b"after", b"whole"]


async def test_a_record_larger_than_a_segment_gets_one_of_its_own(spool, tmp_path):
    spool.append(MONEY, PREFIX, b"y" * 5000)

    assert payloads_in(tmp_path / "spool") == [b"y" * 5000]


async def test_payloads_may_end_in_zeros(spool, tmp_path):
    spool.append(MONEY, PREFIX, b"ends in zeros\0\0\0")

    assert payloads_in(tmp_path / "spool") == [b"ends in zeros\0\0\0"]


_WRITER = """
import asyncio, os, sys
from pathlib import Path
from brokle.edge.frames import kind_prefix
from brokle.edge.spool import MONEY, Spool, SpoolSettings

async def main():
    spool = Spool(Path(sys.argv[1]), SpoolSettings(segment_bytes=20_000))
    await spool.start()
    prefix, number = kind_prefix("request"), 0
    while True:
        payloads = [b"%s-%d" % (sys.argv[2].encode(), number + i) for i in range(10)]
        await spool.append_durable(MONEY, prefix, payloads)
        number += 10
        os.write(1, b"%d\\n" % number)

asyncio.run(main())
"""


def run_and_kill(folder: Path, name: str, after_bytes: int) -> int:
    """How many records the writer had acknowledged when it was killed."""
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(folder), name], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = b""
        while len(seen) < after_bytes:
            seen += os.read(writer.stdout.fileno(), 256)
        writer.kill()
        seen += writer.stdout.read()
    return int(seen.rsplit(b"\n", 2)[-2])


def test_kill_minus_nine_loses_nothing_acknowledged_and_doubles_nothing(tmp_path):
    for attempt in range(10):
        acknowledged = run_and_kill(tmp_path, f"w{attempt}", 20 + attempt * 37)
        adopt_orphans(tmp_path)

        stored = [p for p in payloads_in(tmp_path) if p.startswith(b"w%d-" % attempt)]
        assert len(set(stored)) == len(stored)
        expected = {b"w%d-%d" % (attempt, n) for n in range(acknowledged)}
        assert expected <= set(stored)
        assert not list(tmp_path.glob("*.open"))
