import fcntl
import os
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from brokle.kernel.metrics import Registry
from brokle.kernel.metrics_files import Mirror, collect
from brokle.kernel.metrics_merge import merge, render


def samples(dump):
    text = render(dump).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_own_parser_reads_every_kind():
    registry = Registry()
    registry.counter("hits_total", 'With "quotes" and \\ and\nlines.', "route").of('/a"b\\c\nd').inc(3)
    registry.gauge("depth", "How deep.").of().set(1.5)
    took = registry.histogram("took_seconds", "How long.", bounds=(0.1, 1.0)).of()
    for seconds in (0.05, 0.1, 0.5, 5):
        took.observe(seconds)

    assert samples(registry.dump()) == {
        ("hits_total", ("route", '/a"b\\c\nd')): 3,
        ("depth",): 1.5,
        ("took_seconds_bucket", ("le", "0.1")): 2,
        ("took_seconds_bucket", ("le", "1")): 3,
        ("took_seconds_bucket", ("le", "+Inf")): 4,
        ("took_seconds_count",): 4,
        ("took_seconds_sum",): 5.65,
    }


def test_gauges_come_together_as_their_family_says():
    one, two = Registry(), Registry()
    for registry, value in ((one, 3), (two, 5)):
        registry.gauge("watchers", "").of().set(value)
        registry.gauge("version", "", merge="min").of().set(value)
        registry.gauge("age", "", merge="max").of().set(value)

    assert samples(merge([one.dump(), two.dump()])) == {("watchers",): 8, ("version",): 3, ("age",): 5}


def test_a_metric_is_declared_once_and_its_labels_fit():
    registry = Registry()
    family = registry.counter("hits_total", "", "route")

    with pytest.raises(ValueError, match="declared twice"):
        registry.counter("hits_total", "")
    with pytest.raises(ValueError, match="labels"):
        family.of()


_CHILD = """
import os, sys, time
from pathlib import Path
from brokle.kernel.metrics import Registry
from brokle.kernel.metrics_files import Mirror
registry = Registry()
registry.counter("hits_total", "").of().inc(5)
registry.histogram("took_seconds", "", bounds=(1.0,)).of().observe(0.5)
registry.gauge("watchers", "").of().set(7)
mirror = Mirror(Path(sys.argv[1]), "web", registry)
mirror.start()
print("ready", flush=True)
sys.stdin.readline()
"""


def test_counters_of_a_killed_process_stay_and_its_gauges_go(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"ready\n"
    registry = Registry()
    registry.counter("hits_total", "").of().inc(2)
    mirror = Mirror(tmp_path, "shipper", registry)
    mirror.start()
    living = samples(collect(tmp_path))
    child.kill()
    child.communicate()

    for _ in range(3):
        after = samples(collect(tmp_path))
        assert after[("hits_total",)] == living[("hits_total",)] == 7
        assert after[("took_seconds_count",)] == 1
        assert ("watchers",) not in after
    mirror.stop()
    assert living[("watchers",)] == 7
    assert samples(collect(tmp_path))[("hits_total",)] == 7


def test_a_crash_between_folding_and_clearing_adds_nothing_twice(tmp_path):
    registry = Registry()
    registry.counter("hits_total", "").of().inc(4)
    mirror = Mirror(tmp_path, "web", registry)
    mirror.start()
    mirror.stop()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("web-")}
    collect(tmp_path)
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)

    assert samples(collect(tmp_path)) == {("hits_total",): 4}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("web-")] == []


def test_who_lives_is_told_by_the_lock(tmp_path):
    mirror = Mirror(tmp_path, "web", Registry())
    mirror.start()
    lock = next(tmp_path.glob("*.lock"))
    with pytest.raises(BlockingIOError), lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert lock.name.startswith(f"web-{os.getpid()}-")
    mirror.stop()
