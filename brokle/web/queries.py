"""What every statement of Django passes through: a span when traced, a note when slow. Values never do."""

import json
import logging
import re
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db.backends.signals import connection_created

from brokle.kernel.ids import new_id
from brokle.kernel.tracing import tracer

log = logging.getLogger("brokle.web.queries")

_KEY = "bk:slow-queries"
_KEPT = 200
_SQL_MAX = 8000
_LITERAL = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class SlowQuery:
    id: str
    at: float
    ms: float
    sql: str
    alias: str


def without_literals(sql: str) -> str:
    """Values travel apart from Django's statements; a quoted one that somebody wrote into the text goes too."""
    return _LITERAL.sub("'?'", sql)[:_SQL_MAX]


def observe(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    started = time.perf_counter()
    try:
        if not tracer.is_on:
            return execute(sql, params, many, context)
        return _traced(execute, sql, params, many, context)
    finally:
        elapsed_ms = (time.perf_counter() - started) * 1000
        if settings.SLOW_QUERY_MS and elapsed_ms >= settings.SLOW_QUERY_MS:
            _keep(str(sql), elapsed_ms, context["connection"].alias)


def _traced(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    text = without_literals(str(sql))
    operation = text.lstrip(" (").partition(" ")[0].upper()
    with tracer.span(f"{operation} postgresql") as span:
        span.set("db.system.name", "postgresql")
        span.set("db.operation.name", operation)
        span.set("db.query.text", text)
        return execute(sql, params, many, context)


def watch_connection(sender: Any, connection: Any, **more: Any) -> None:
    """A connection that is opened anew keeps its wrappers."""
    if observe not in connection.execute_wrappers:
        connection.execute_wrappers.append(observe)


def watch_queries() -> None:
    connection_created.connect(watch_connection, dispatch_uid="brokle.web.queries")


@lru_cache(maxsize=1)
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def _keep(sql: str, ms: float, alias: str) -> None:
    entry = SlowQuery(new_id("slq"), time.time(), round(ms, 1), without_literals(sql), alias)
    try:
        with _redis().pipeline(transaction=False) as pipe:
            pipe.lpush(_KEY, json.dumps(asdict(entry)))
            pipe.ltrim(_KEY, 0, _KEPT - 1)
            pipe.execute()
    except redis.RedisError as error:
        log.warning("slow query not kept", extra={"reason": type(error).__name__})


def list_slow_queries() -> list[SlowQuery]:
    entries: Any = _redis().lrange(_KEY, 0, _KEPT - 1)
    return [SlowQuery(**json.loads(entry)) for entry in entries]


def find_slow_query(query_id: str) -> SlowQuery | None:
    return next((query for query in list_slow_queries() if query.id == query_id), None)


def forget_slow_queries() -> None:
    _redis().delete(_KEY)
