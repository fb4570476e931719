"""How much work waits: the outbox and Celery's queues, measured by the worker."""

import time
from collections.abc import Callable

import redis
from django.db import connection
from django.db.models import Count, Min

from brokle.celery import EXECUTOR_QUEUE, QUEUES
from brokle.engines.redis_url import broker_redis_url
from brokle.ground.models import OutboxEntry
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.metrics import gauge
from brokle.settings.env import env

_EVERY_S = 5.0

_pending = gauge("brokle_outbox_pending", "Promises not yet kept.", merge="max").of()
_oldest = gauge("brokle_outbox_oldest_seconds", "Age of the oldest promise not yet kept.", merge="max").of()
_dead = gauge("brokle_outbox_dead", "Promises given up after the last attempt.", merge="max").of()
_waiting = gauge("brokle_queue_length", "Tasks that wait in a Celery queue.", "queue", merge="max")


def measure_outbox(*, clock: Clock = utc_now) -> None:
    waiting = OutboxEntry.objects.filter(delivered_at__isnull=True, dead_at__isnull=True)
    found = waiting.aggregate(count=Count("id"), oldest=Min("created_at"))
    _pending.set(found["count"])
    _oldest.set(max(0.0, (clock() - found["oldest"]).total_seconds()) if found["oldest"] else 0.0)
    _dead.set(OutboxEntry.objects.filter(delivered_at__isnull=True, dead_at__isnull=False).count())


def measure_queues(broker: redis.Redis) -> None:
    for name in (*QUEUES, EXECUTOR_QUEUE):
        _waiting.of(name).set(float(broker.llen(name)))  # type: ignore[arg-type] # the client is not asynchronous


def measuring_step() -> Callable[[], int]:
    """For the worker's loop: looks every few seconds and never asks to be called again at once."""
    broker = redis.Redis(connection_pool=_pool())
    measured_at = 0.0

    def step() -> int:
        nonlocal measured_at
        if time.monotonic() - measured_at >= _EVERY_S:
            measured_at = time.monotonic()
            measure_queues(broker)
            measure_outbox()
            connection.close_if_unusable_or_obsolete()
        return 0

    return step


def _pool() -> redis.ConnectionPool:
    """Where Celery's own queues are: the same server, and the database that its address names."""
    return redis.ConnectionPool.from_url(broker_redis_url(env.text("REDIS_URL")))
