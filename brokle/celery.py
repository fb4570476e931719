"""Background work: three queues by priority, acknowledged when done, so that a crash repeats a task and loses none."""

import hashlib
import socket
import time
from contextvars import Token
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from celery import Celery, signals
from kombu import Queue

from brokle.engines.redis_url import EMBEDDED_BROKER_DATABASE
from brokle.kernel import log
from brokle.kernel.metrics import counter, histogram
from brokle.kernel.tracing import CONSUMER, Nothing, Span, tracer
from brokle.settings.env import env

QUEUES = ("high", "default", "low")
# Of its own, because only the executor may touch a container engine.
EXECUTOR_QUEUE = "executor"
UNACKED = "bk:unacked"


def broker_url(redis_url: str) -> str:
    """Celery writes a unix socket differently from redis-py."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    password = quote(unquote(parts.password or ""), safe="")
    return f"redis+socket://:{password}@{parts.path}?virtual_host={EMBEDDED_BROKER_DATABASE}"


def node() -> str:
    """Names the process, the same after a restart: one data dir on one machine has one worker and one executor."""
    place = f"{socket.gethostname()}:{Path(env.text('BROKLE_DATA_DIR')).resolve()}:{env.text('BROKLE_ROLE')}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


app = Celery("brokle")
app.conf.update(
    broker_url=broker_url(env.text("REDIS_URL")),
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 3600,
        "queue_order_strategy": "priority",
        "sep": ":",
        "unacked_key": f"{UNACKED}:{node()}",
        "unacked_index_key": f"{UNACKED}:{node()}:index",
        "unacked_mutex_key": f"{UNACKED}:{node()}:mutex",
    },
    task_queues=[Queue(name) for name in (*QUEUES, EXECUTOR_QUEUE)],
    task_default_queue="default",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=900,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    timezone="UTC",
)
app.autodiscover_tasks()

_tasks = counter("brokle_tasks_total", "Tasks that ended.", "task", "state")
_seconds = histogram("brokle_task_seconds", "How long tasks ran.", "task")
_REQUEST_HEADER = "brokle_request_id"


@dataclass(slots=True)
class _Running:
    """A task under way in this thread."""

    span: Span | Nothing
    token: "Token[log.LogContext | None]"
    started_at: float


_running: dict[str, _Running] = {}


@signals.setup_logging.connect
def keep_logging(**more: Any) -> None:
    """Celery sets nothing up where somebody answers this; brokle.kernel.log already has."""


@signals.before_task_publish.connect
def send_trace(headers: dict[str, Any] | None = None, **more: Any) -> None:
    """A task goes on with the trace, and names the request, of whoever sends it."""
    if headers is None:
        return
    traceparent = tracer.traceparent()
    if traceparent:
        headers["traceparent"] = traceparent
    current = log.context.get()
    if current is not None:
        headers[_REQUEST_HEADER] = current.log_fields().get("request_id", "")


@signals.task_prerun.connect
def begin_task(task_id: str, task: Any, **more: Any) -> None:
    span = tracer.begin(f"task {task.name}", CONSUMER, getattr(task.request, "traceparent", None) or "")
    span.set("messaging.system", "celery")
    span.set("messaging.message.id", task_id)
    fields = {"task": task.name, "task_id": task_id}
    request_id = getattr(task.request, _REQUEST_HEADER, None)
    if request_id:
        fields["request_id"] = request_id
    if isinstance(span, Span):
        fields["trace_id"] = span.trace_id
    token = log.context.set(log.Bound(**fields))
    span.__enter__()
    _running[task_id] = _Running(span, token, time.perf_counter())


@signals.task_postrun.connect
def end_task(task_id: str, task: Any, state: str | None = None, **more: Any) -> None:
    running = _running.pop(task_id, None)
    if running is None:
        return
    if state not in {"SUCCESS", "IGNORED"}:
        running.span.fail(state or "FAILURE")
    running.span.__exit__(None, None, None)
    log.context.reset(running.token)
    _tasks.of(task.name, (state or "unknown").lower()).inc()
    _seconds.of(task.name).observe(time.perf_counter() - running.started_at)
