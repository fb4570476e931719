"""The worker's process: Celery in threads, and beside it the snapshot compiler, the outbox and beat.

With `--executor` it is the executor's: the queue for container engines alone, and nothing beside it.
"""

import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from brokle.cli.django_setup import ready
from brokle.edge.watch import Watch, configure_logs
from brokle.settings.env import env

log = logging.getLogger("brokle.worker")

_POLL_S = 1.0


class Loop(threading.Thread):
    """Runs a step again and again: at once while there is work, on a database signal, and every second."""

    def __init__(self, name: str, step: Callable[[], int], channel: str, stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._step, self._channel, self._stopping = step, channel, stopping

    def run(self) -> None:
        from django.db import close_old_connections

        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception:
                log.exception("loop failed", extra={"loop": self.name})
                self._stopping.wait(_POLL_S)
            finally:
                close_old_connections()

    def _listen(self) -> None:
        import psycopg

        with psycopg.connect(env.text("DATABASE_URL"), autocommit=True) as signals:
            if self._channel:
                signals.execute(f"LISTEN {self._channel}")
            while not self._stopping.is_set():
                if not self._step():
                    for _ in signals.notifies(timeout=_POLL_S, stop_after=1):
                        pass


def compile_step() -> Callable[[], int]:
    import redis

    from brokle.ground.compiler import Compiler, UnableToPublish

    compiler = Compiler(redis.Redis.from_url(env.text("REDIS_URL")))
    leading_since = 0.0

    def step() -> int:
        nonlocal leading_since
        if not leading_since:
            if not compiler.lead():
                return 0
            leading_since = time.monotonic()
        compiler.ensure()
        try:
            return compiler.publish_changes()
        except UnableToPublish:
            compiler.publish_all()
            return 1

    return step


def redelivery_step() -> Callable[[], int]:
    """Gives back what this process held when it was killed, then watches over the others."""
    import redis

    from brokle.cli.redelivery import Redelivery
    from brokle.engines.redis_url import broker_redis_url

    url = env.text("REDIS_URL")
    redelivery = Redelivery(redis.Redis.from_url(url), held_in=redis.Redis.from_url(broker_redis_url(url)))
    redelivery.restore_own()
    return redelivery.step


def worker_loops(stopping: threading.Event) -> list[Loop]:
    from brokle.ground import gauges, outbox, schedule
    from brokle.ground.services import OUTBOX_CHANNEL, SNAPSHOT_CHANNEL
    from brokle.kernel import extensions

    schedule.declare_all()
    return [
        Loop("redelivery", redelivery_step(), "", stopping),
        Loop("compiler", compile_step(), SNAPSHOT_CHANNEL, stopping),
        Loop("outbox", outbox.deliver_due, OUTBOX_CHANNEL, stopping),
        Loop("beat", schedule.send_due, "", stopping),
        Loop("gauges", gauges.measuring_step(), "", stopping),
        *(Loop(loop.name, loop.make(), loop.channel, stopping) for loop in extensions.worker_loops.collect()),
    ]


def executor_loops(stopping: threading.Event) -> list[Loop]:
    return [Loop("redelivery", redelivery_step(), "", stopping)]


def _stop_quietly(**more: Any) -> None:
    """Celery's own handlers do the same and print a line that is no log line."""
    from celery.worker import state

    def stop(number: int, frame: Any) -> None:
        state.should_stop = 0

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def main(arguments: Sequence[str]) -> None:
    configure_logs(env)
    ready()
    from brokle.celery import EXECUTOR_QUEUE, QUEUES

    is_executor = "--executor" in arguments
    watch = Watch(env, "executor" if is_executor else "worker")
    watch.start()
    stopping = threading.Event()
    loops = executor_loops(stopping) if is_executor else worker_loops(stopping)
    for loop in loops:
        loop.start()
    try:
        if is_executor:
            run_celery("executor", (EXECUTOR_QUEUE,), concurrency=2)
        else:
            run_celery("worker", QUEUES, concurrency=4)
    finally:
        stopping.set()
        for loop in loops:
            loop.join(3)
        watch.stop()


def run_celery(name: str, queues: Sequence[str], *, concurrency: int) -> None:
    from celery import signals
    from celery.exceptions import SecurityWarning

    from brokle.celery import app

    # Celery warns root of pickled messages; ours accepts JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    signals.worker_ready.connect(_stop_quietly)
    app.worker_main(
        [
            "--quiet",
            "worker",
            f"--hostname={name}@%h",
            "--pool=threads",
            f"--concurrency={concurrency}",
            f"--queues={','.join(queues)}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
