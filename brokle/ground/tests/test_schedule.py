import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.conf import settings
from django.db import connections

from brokle.engines.redis_url import broker_redis_url
from brokle.ground import schedule
from brokle.ground.models import Schedule

pytestmark = [pytest.mark.engines]


@pytest.fixture
def queue():
    client = redis.Redis.from_url(broker_redis_url(settings.REDIS_URL))
    client.delete("low")
    yield lambda: client.llen("low")
    client.delete("low")


def due_task(every=60):
    Schedule.objects.all().delete()
    return Schedule.objects.create(name="test", task="ground.forget_expired", queue="low", every_seconds=every)


@pytest.mark.django_db
def test_a_due_task_is_sent_and_missed_rounds_are_skipped(queue):
    due_task()
    now = datetime.now(UTC) + timedelta(hours=5)

    assert [schedule.send_due(clock=lambda: now) for _ in range(2)] == [1, 0]
    assert Schedule.objects.get().next_run_at == now + timedelta(seconds=60)
    assert queue() == 1


@pytest.mark.django_db
def test_what_an_operator_switched_off_or_slowed_stays_so(queue):
    schedule.declare_all()
    Schedule.objects.update(enabled=False, every_seconds=5)
    schedule.declare_all()

    assert schedule.send_due(clock=lambda: datetime.now(UTC) + timedelta(days=1)) == 0
    assert set(Schedule.objects.values_list("every_seconds", flat=True)) == {5}
    assert queue() == 0


@pytest.mark.django_db(transaction=True)
def test_two_leaders_send_a_due_task_once(queue):
    due_task()
    now, barrier = datetime.now(UTC) + timedelta(seconds=5), threading.Barrier(8)

    def lead():
        try:
            barrier.wait(60)
            return schedule.send_due(clock=lambda: now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        sent = [done.result(120) for done in [pool.submit(lead) for _ in range(8)]]

    assert sum(sent) == 1
    assert queue() == 1
