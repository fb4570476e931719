import asyncio
import json
import os
import time

import pytest

from brokle.edge.frames import frame, kind_prefix
from brokle.edge.otlp import start_exporter
from brokle.edge.segments import adopt_orphans, clear_unborn, lag_seconds
from brokle.edge.shipper import Shipper
from brokle.edge.sinks import RecordsRejected, SinkDown
from brokle.edge.spool import MONEY, Spool
from brokle.kernel.tracing import tracer
from brokle.settings.env import Environment
from tests.fakes.collectors import receiver

PREFIX = kind_prefix("request")


class Store:
    """A sink in memory at the edge of the test's world: keeps what it was given, fails when told."""

    def __init__(self, name="store"):
        self.name = name
        self.batches = {}
        self.is_down = False
        self.poison = set()

    def deliver(self, kind, payloads, token):
        if self.is_down:
            raise SinkDown("away")
        if self.poison & set(payloads):
            raise RecordsRejected("cannot parse")
        self.batches[token] = list(payloads)

    @property
    def payloads(self):
        return [payload for token in sorted(self.batches) for payload in self.batches[token]]


@pytest.fixture
def store():
    return Store()


def shipper_of(folder, *stores):
    shipper = Shipper(folder, stores, {store.name: ["request"] for store in stores})
    assert shipper.acquire()
    return shipper


async def spool_of(folder, *payloads):
    spool = Spool(folder)
    await spool.start()
    for payload in payloads:
        spool.append(MONEY, PREFIX, payload)
    await spool.stop()


async def test_a_segment_goes_after_every_sink_confirmed(tmp_path, store):
    await spool_of(tmp_path, b"one", b"two")
    slow = Store("slow")
    slow.is_down = True
    shipper = shipper_of(tmp_path, store, slow)

    await shipper.round()
    assert (store.payloads, slow.payloads) == ([b"one", b"two"], [])
    assert len(list(tmp_path.glob("*.seg"))) == 1
    slow.is_down = False
    shipper._health["slow"].retry_at = 0
    await shipper.round()

    assert slow.payloads == [b"one", b"two"]
    assert list(tmp_path.glob("*.seg")) == list(tmp_path.glob("*.batch")) == []
    assert len(store.batches) == 1


async def test_a_second_try_after_a_crash_uses_the_same_token(tmp_path, store):
    await spool_of(tmp_path, b"one")
    other = Store("other")
    other.is_down = True
    await shipper_of(tmp_path, store, other).round()
    first = set(store.batches)
    os.close(os.open(tmp_path / "shipper.lock", os.O_RDONLY))
    [manifest] = tmp_path.glob("*.batch")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "done": []}))

    again = Shipper(tmp_path, [store], {"store": ["request"]})
    await again.round()

    assert set(store.batches) == first


async def test_a_poison_record_is_quarantined_and_the_rest_delivered(tmp_path, store):
    payloads = [b"%d" % n for n in range(9)]
    await spool_of(tmp_path, *payloads)
    store.poison = {b"4"}
    shipper = shipper_of(tmp_path, store)

    await shipper.round()

    assert sorted(store.payloads) == [p for p in payloads if p != b"4"]
    [kept] = (tmp_path / "quarantine").iterdir()
    assert json.loads(kept.read_text()) == {"kind": "request", "reason": "cannot parse", "payload": "4"}
    assert shipper.status()["quarantined"] == 1


async def test_damage_is_kept_apart_and_the_rest_delivered(tmp_path, store):
    frames = [frame(PREFIX, b"one"), frame(PREFIX, b"two"), frame(PREFIX, b"three")]
    damaged = bytearray(b"".join(frames))
    damaged[len(frames[0]) + 12] ^= 0xFF
    (tmp_path / "money-00000000000000000001-1-1.seg").write_bytes(damaged)

    await shipper_of(tmp_path, store).round()

    assert store.payloads == [b"one", b"three"]
    [kept] = (tmp_path / "quarantine").iterdir()
    assert len(kept.read_bytes()) == len(frames[1])


async def test_segments_of_dead_processes_are_adopted_and_those_of_living_ones_left(tmp_path):
    living = Spool(tmp_path)
    await living.start()
    living.append(MONEY, PREFIX, b"mine")
    (tmp_path / "money-00000000000000000001-1-1.open").write_bytes(frame(PREFIX, b"orphan"))
    (tmp_path / "money-00000000000000000002-1-1.open").touch()

    adopt_orphans(tmp_path)
    suffixes = sorted(path.suffix for path in tmp_path.iterdir())
    await living.stop()

    assert suffixes == [".open", ".seg"]


async def test_unnamed_leftovers_go_after_a_while(tmp_path):
    old, fresh = tmp_path / ".money-1.new", tmp_path / ".money-2.new"
    old.touch()
    fresh.touch()
    os.utime(old, (time.time() - 60, time.time() - 60))

    clear_unborn(tmp_path)

    assert list(tmp_path.iterdir()) == [fresh]


async def test_lag_is_the_age_of_the_oldest_unshipped_segment(tmp_path):
    assert lag_seconds(tmp_path) == 0
    (tmp_path / f"money-{time.time_ns() - 5_000_000_000:020d}-1-1.seg").touch()

    assert 5 <= lag_seconds(tmp_path) < 6


async def test_a_second_shipper_on_the_same_folder_is_refused(tmp_path, store):
    shipper_of(tmp_path, store)

    assert Shipper(tmp_path, [store], {}).acquire() is False


async def test_when_told_to_stop_it_takes_what_is_left(tmp_path, store):
    shipper = shipper_of(tmp_path, store)
    stopping = asyncio.Event()
    running = asyncio.create_task(shipper.run(stopping))
    await spool_of(tmp_path, b"last")
    stopping.set()
    await running

    assert store.payloads == [b"last"]


@pytest.fixture
def collector():
    with receiver() as started:
        exporter = start_exporter(Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": started.url}), "shipper")
        yield started
        exporter.stop()


async def spans_of(collector, count):
    async with asyncio.timeout(10):
        while len(collector.spans()) < count:
            await asyncio.sleep(0.02)
    found = {span["name"]: span for span in collector.spans()}
    assert len(collector.spans()) == len(found) == count
    return found


async def test_a_shipment_is_a_trace_with_a_span_for_every_sink(tmp_path, store, collector):
    await spool_of(tmp_path, b"one", b"two", b"three")
    [segment] = tmp_path.glob("*.seg")
    poisoned, away = Store("poisoned"), Store("away")
    poisoned.poison, away.is_down = {b"two"}, True

    await shipper_of(tmp_path, store, poisoned, away).round()
    found = await spans_of(collector, 4)

    facts = {"brokle.segment": segment.name, "brokle.segments": 1, "brokle.rows": 3}
    assert {(found[name]["kind"], found[name]["parent"]) for name in ("ship store", "ship poisoned", "ship away")} == {
        (3, found["ship"]["id"])
    }
    assert found["ship store"]["attributes"] == {"brokle.sink": "store", "brokle.quarantined": 0, **facts}
    assert found["ship poisoned"]["attributes"] == {"brokle.sink": "poisoned", "brokle.quarantined": 1, **facts}
    assert found["ship away"]["attributes"] == {"brokle.sink": "away", **facts}
    assert {name: (span["is_error"], span["message"]) for name, span in found.items()} == {
        "ship": (False, ""),
        "ship store": (False, ""),
        "ship poisoned": (False, ""),
        "ship away": (True, "away"),
    }


async def test_looking_at_an_empty_spool_or_at_a_sink_that_rests_makes_no_span(tmp_path, store, collector):
    store.is_down = True
    shipper = shipper_of(tmp_path, store)
    await shipper.round()
    await spool_of(tmp_path, b"one")
    await shipper.round()
    await shipper.round()

    assert set(await spans_of(collector, 2)) == {"ship", "ship store"}


async def test_a_shipment_without_a_collector_is_the_same(tmp_path, store):
    assert not tracer.is_on
    await spool_of(tmp_path, b"one")
    await shipper_of(tmp_path, store).round()

    assert store.payloads == [b"one"]
