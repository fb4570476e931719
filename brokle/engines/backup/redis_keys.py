"""Redis: what PostgreSQL does not know, by value, so that it fits any version of Redis.

Kept: counters and budgets of limits, queued and held background tasks, per-person decision state. Left out: the
snapshot and the caches, which are rebuilt, and who is connected right now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import redis

_REBUILT = (b"bk:snap:", b"bk:workers", b"bk:live:", b"dj:")
_BATCH = 500
_GONE_MS = (-2, 0)
Entry = tuple[bytes, str, int, Any]


class UnableToCopyRedis(Exception):
    pass


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(url, socket_connect_timeout=5)
    try:
        yield client
    except redis.RedisError as error:
        raise UnableToCopyRedis(f"Redis: {error}") from error
    finally:
        client.close()


def export(url: str) -> tuple[bytes, int]:
    with _connected(url) as client:
        found = list(entries(client))
    return msgspec.msgpack.encode(found), len(found)


def server_version(url: str) -> str:
    with _connected(url) as client:
        return str(client.info("server")["redis_version"])


def restore(url: str, content: bytes) -> int:
    """Everything of ours that is there goes first; other tenants of a shared Redis have another database."""
    kept = msgspec.msgpack.decode(content, type=list[Entry])
    with _connected(url) as client:
        client.flushdb()
        for start in range(0, len(kept), _BATCH):
            with client.pipeline(transaction=False) as pipe:
                for entry in kept[start : start + _BATCH]:
                    _put(pipe, *entry)
                pipe.execute()
    return len(kept)


def entries(client: Any) -> Iterator[Entry]:
    """The time left is read first: a key that ends meanwhile has no value then, instead of no end."""
    for key in client.scan_iter(count=1000):
        if key.startswith(_REBUILT):
            continue
        kind = client.type(key).decode()
        left_ms = client.pttl(key)
        value = _value(client, kind, key)
        if value is not None and left_ms not in _GONE_MS:
            yield key, kind, left_ms, value


def _value(client: Any, kind: str, key: bytes) -> Any:
    """None for a key that went meanwhile; streams are notices and hand-over only."""
    if kind == "string":
        return client.get(key)
    if kind == "list":
        return client.lrange(key, 0, -1) or None
    if kind == "set":
        return list(client.smembers(key)) or None
    if kind == "hash":
        return [part for pair in client.hgetall(key).items() for part in pair] or None
    if kind == "zset":
        return [[member, score] for member, score in client.zrange(key, 0, -1, withscores=True)] or None
    return None


def _put(pipe: Any, key: bytes, kind: str, left_ms: int, value: Any) -> None:
    if kind == "string":
        pipe.set(key, value)
    elif kind == "list":
        pipe.rpush(key, *value)
    elif kind == "set":
        pipe.sadd(key, *value)
    elif kind == "hash":
        pipe.hset(key, items=value)
    elif kind == "zset":
        pipe.zadd(key, {member: score for member, score in value})  # noqa: C416 - the pairs are lists
    if left_ms > 0:
        pipe.pexpire(key, left_ms)
