import os
import signal
import subprocess
import sys
import time

import pytest
import redis
from django.conf import settings
from django.db import connection

import brokle
from brokle.celery import QUEUES, UNACKED, app, node
from brokle.cli.redelivery import Redelivery
from brokle.engines.redis_url import broker_redis_url

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]
THREADS = 4


@pytest.fixture
def broker():
    client = redis.Redis.from_url(broker_redis_url(settings.REDIS_URL))
    client.flushdb()
    return client


@pytest.fixture
def notes(broker):
    client = redis.Redis.from_url(settings.REDIS_URL.replace("db=0", "db=2"))
    client.flushdb()
    redis.Redis.from_url(settings.REDIS_URL).delete("bk:workers")
    return client


@pytest.fixture
def worker(notes):
    started = []
    url = os.environ["DATABASE_URL"].replace("/brokle?", f"/{connection.settings_dict['NAME']}?")

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.background.worker_process"],
            env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "brokle.settings.test"},
            cwd=brokle.HOUSE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    notes.set("release", 1)
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(120)
        finally:
            process.kill()


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def held(broker, owner, name):
    """How often a task of this name waits for its acknowledgement; the worker's own beat sends tasks beside it."""
    return sum(name.encode() in message for message in broker.hvals(f"{UNACKED}:{owner}"))


def waiting(broker, queue, name):
    return sum(name.encode() in message for message in broker.lrange(queue, 0, -1))


def done(notes):
    return [name.decode() for name in notes.lrange("done", 0, -1)]


def test_high_goes_before_default_and_low(worker, notes):
    for queue in ("low", "default", "high"):
        for number in range(20):
            app.send_task("tests.note", [f"{queue}-{number}"], queue=queue)
    worker()
    wait_for(lambda: notes.llen("done") == 60)

    order = [name.split("-")[0] for name in done(notes)]
    last_high, first_low = max(i for i, q in enumerate(order) if q == "high"), order.index("low")
    # Four threads finish in any order among themselves, so neighbours may swap; queues do not.
    assert last_high < 20 + 4 * THREADS
    assert first_low >= 40 - 4 * THREADS


def test_a_task_of_a_killed_worker_runs_again_at_its_next_start(worker, notes, broker):
    first = worker()
    app.send_task("tests.hold", ["precious"], queue="default")
    wait_for(lambda: notes.llen("begun") == 1)
    assert held(broker, node(), "precious") == 1
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert done(notes) == []
    notes.set("release", 1)
    worker()
    wait_for(lambda: done(notes) == ["precious"])
    wait_for(lambda: held(broker, node(), "precious") == 0)
    assert [waiting(broker, queue, "precious") for queue in QUEUES] == [0, 0, 0]
    assert notes.lrange("begun", 0, -1) == [b"precious", b"precious"]


def test_a_vanished_machine_is_noticed_by_the_others(worker, notes, broker):
    first = worker()
    app.send_task("tests.hold", ["orphan"], queue="high")
    wait_for(lambda: notes.llen("begun") == 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    for suffix in ("", ":index"):
        broker.rename(f"{UNACKED}:{node()}{suffix}", f"{UNACKED}:elsewhere{suffix}")
    state = redis.Redis.from_url(settings.REDIS_URL)
    state.delete("bk:workers")
    state.zadd("bk:workers", {"elsewhere": time.time() - 61, "alive": time.time() - 30})
    # The list of workers and what they hold live in one Redis, in the broker's database.
    Redelivery(state, held_in=broker).step()

    assert waiting(broker, "high", "orphan") == 1
    assert broker.exists(f"{UNACKED}:elsewhere") == 0
    assert set(state.zrange("bk:workers", 0, -1)) == {b"alive", node().encode()}


def test_a_worker_that_is_asked_to_stop_finishes_its_task(worker, notes):
    process = worker()
    app.send_task("tests.hold", ["last"], queue="default")
    wait_for(lambda: notes.llen("begun") == 1)
    process.terminate()
    notes.set("release", 1)

    assert process.wait(120) == 0
    assert done(notes) == ["last"]


def test_the_grounds_own_task_may_run_twice(worker, notes, broker):
    from brokle.ground.tasks import forget_expired

    assert [forget_expired(), forget_expired()] == [0, 0]
