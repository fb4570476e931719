"""Django's Redis cache whose commands are spans of the request that gives them."""

from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from brokle.kernel.tracing import tracer


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
