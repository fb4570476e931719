import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, transaction

import brokle
from brokle.ground.models import OutboxEntry
from brokle.ground.outbox import ATTEMPTS_MAX, backoff_seconds, deliver_due
from brokle.ground.services import promise
from brokle.kernel.extensions import OutboxHandler, outbox_handlers
from brokle.settings.env import env

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def heard():
    seen = []
    with outbox_handlers.plugged("test", OutboxHandler("test", lambda payload: seen.append(payload["n"]))):
        yield seen


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC) + timedelta(seconds=1)

    def __call__(self):
        return self.now


def drain(clock):
    while deliver_due(clock=clock):
        pass


def test_what_is_committed_is_handled_once_in_order(heard):
    for number in range(120):
        promise(topic="test", payload={"n": number})
    drain(Clock())
    drain(Clock())

    assert heard == list(range(120))
    assert OutboxEntry.objects.filter(delivered_at__isnull=True).count() == 0


def test_what_is_rolled_back_was_never_promised(heard):
    with transaction.atomic():
        promise(topic="test", payload={"n": 1})
        transaction.set_rollback(True)
    drain(Clock())

    assert heard == []


def test_the_handler_learns_the_event_id_to_be_idempotent_by():
    got = []
    with outbox_handlers.plugged("ids", OutboxHandler("ids", got.append)):
        event_id = promise(topic="ids", payload={"a": 1})
        drain(Clock())

    assert got == [{"event_id": event_id, "a": 1}]


def test_a_failure_waits_with_jitter_and_holds_up_nobody():
    tried, clock = [], Clock()

    def handle(payload):
        tried.append(payload["n"])
        if payload["n"] == 1 and len(tried) < 4:
            raise ConnectionError("secret text")

    with outbox_handlers.plugged("shaky", OutboxHandler("shaky", handle)):
        for number in (1, 2):
            promise(topic="shaky", payload={"n": number})
        deliver_due(clock=clock, chance=lambda: 1.0)
        row = OutboxEntry.objects.get(delivered_at__isnull=True)
        assert (row.attempts, row.last_error) == (1, "ConnectionError")
        assert row.next_attempt_at == clock.now + timedelta(seconds=1)
        clock.now += timedelta(milliseconds=999)
        assert deliver_due(clock=clock) == 0
        clock.now += timedelta(milliseconds=1)
        deliver_due(clock=clock, chance=lambda: 0.0)
        assert OutboxEntry.objects.get(id=row.id).next_attempt_at == clock.now + timedelta(seconds=1)
        clock.now += timedelta(seconds=1)
        deliver_due(clock=clock)

    assert tried == [1, 2, 1, 1]
    assert OutboxEntry.objects.get(id=row.id).delivered_at == clock.now


def test_a_handler_that_fails_leaves_nothing_behind():
    def handle(payload):
        promise(topic="echo", payload={})
        raise ConnectionError

    with outbox_handlers.plugged("half", OutboxHandler("half", handle)):
        promise(topic="half", payload={})
        deliver_due(clock=Clock())

    assert not OutboxEntry.objects.filter(topic="echo").exists()


def test_after_the_last_attempt_it_is_dead_and_left_alone():
    clock, tried = Clock(), []

    def handle(payload):
        tried.append(1)
        raise ConnectionError

    with outbox_handlers.plugged("poison", OutboxHandler("poison", handle)):
        promise(topic="poison", payload={})
        for _ in range(ATTEMPTS_MAX + 5):
            deliver_due(clock=clock)
            clock.now += timedelta(hours=2)

    assert len(tried) == ATTEMPTS_MAX
    assert OutboxEntry.objects.get().dead_at is not None


@pytest.mark.parametrize(("attempts", "least", "most"), [(1, 0.5, 1), (2, 1, 2), (5, 8, 16), (30, 1800, 3600)])
def test_the_pause_doubles_up_to_an_hour(attempts, least, most):
    assert (backoff_seconds(attempts, chance=0.0), backoff_seconds(attempts, chance=1.0)) == (least, most)


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_both_and_keep_the_order(heard):
    with transaction.atomic():
        for number in range(300):
            promise(topic="test", payload={"n": number})
    clock, barrier = Clock(), threading.Barrier(2)

    def worker():
        try:
            barrier.wait(60)
            while OutboxEntry.objects.filter(delivered_at__isnull=True).exists():
                deliver_due(clock=clock)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(worker) for _ in range(2)]:
            done.result(180)

    assert heard == list(range(300))


_KILLED_BEFORE_THE_MARK = """
import os, signal, sys
import django
django.setup()
from brokle.ground.outbox import deliver_due
from brokle.kernel.extensions import OutboxHandler, outbox_handlers
def handle(payload):
    os.write(1, b"handled")
    os.kill(os.getpid(), signal.SIGKILL)
outbox_handlers.register("test", OutboxHandler("test", handle))
deliver_due()
"""


@pytest.mark.django_db(transaction=True)
def test_killed_between_handling_and_marking_it_is_handled_again(heard):
    promise(topic="test", payload={"n": 7})
    url = env.text("DATABASE_URL").replace("/brokle?", f"/{connection.settings_dict['NAME']}?")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_BEFORE_THE_MARK],
        env=env.for_child(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="brokle.settings.test"),
        cwd=brokle.HOUSE,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"handled")
    assert OutboxEntry.objects.get().delivered_at is None
    drain(Clock())
    assert heard == [7]
