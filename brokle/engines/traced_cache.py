"""Django's Redis cache whose commands are spans of the request that gives them."""

import logging
from typing import Any

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from brokle.kernel.tracing import tracer

log = logging.getLogger("brokle.engines.cache")
_AWAY = (redis.ConnectionError, redis.TimeoutError)


class TracedRedis(redis.Redis):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not tracer.is_on:
            return super().execute_command(*args, **options)
        command = str(args[0]) if args else ""
        with tracer.span(f"{command} redis") as span:
            span.set("db.system.name", "redis")
            span.set("db.operation.name", command)
            return super().execute_command(*args, **options)


class TracedCacheClient(RedisCacheClient):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._client = TracedRedis


class TracedRedisCache(RedisCache):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._class = TracedCacheClient


class SessionCache(TracedRedisCache):
    """Without Redis nothing is found and nothing is kept, so that sessions are read from PostgreSQL.

    Deleting still fails: a session that was ended must not be there again when Redis is.
    """

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except _AWAY as error:
            _tell(error)
            return default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        try:
            super().set(key, value, timeout, version)
        except _AWAY as error:
            _tell(error)


def _tell(error: Exception) -> None:
    log.warning("sessions without cache", extra={"reason": type(error).__name__})
