"""What Redis and ClickHouse say of themselves."""

import re
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings

from brokle.engines.clickhouse_url import connect

_INFO = (
    "redis_version",
    "uptime_in_seconds",
    "connected_clients",
    "blocked_clients",
    "used_memory",
    "used_memory_peak",
    "maxmemory",
    "maxmemory_policy",
    "mem_fragmentation_ratio",
    "instantaneous_ops_per_sec",
    "total_commands_processed",
    "keyspace_hits",
    "keyspace_misses",
    "expired_keys",
    "evicted_keys",
    "rejected_connections",
    "aof_enabled",
    "aof_last_write_status",
    "rdb_last_bgsave_status",
)
# Django names a session's key after the session's secret, which is all that a thief needs.
_SESSION_KEY = re.compile(r"(?<=sessions\.cached_db).+")
_SAMPLED = 2000
_SHOWN = 20


class UnableToAsk(Exception):
    """The engine is away; the page says so."""


@dataclass(frozen=True, slots=True)
class Measure:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class BigKey:
    name: str
    kind: str
    bytes: int


@dataclass(frozen=True, slots=True)
class RedisStatistics:
    measures: list[Measure]
    sampled: int
    big_keys: list[BigKey]


@dataclass(frozen=True, slots=True)
class TableParts:
    name: str
    parts: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ClickHouseStatistics:
    tables: list[TableParts]
    measures: list[Measure]


def redis_statistics() -> RedisStatistics:
    client: Any = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)
    try:
        info = client.info()
        names = _sample_keys(client)
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.memory_usage(name)
                pipe.type(name)
            replies = pipe.execute()
    except redis.RedisError as error:
        raise UnableToAsk(type(error).__name__) from error
    finally:
        client.close()
    sized = [
        BigKey(
            _SESSION_KEY.sub("…", name.decode(errors="replace")),
            replies[2 * place + 1].decode(),
            replies[2 * place] or 0,
        )
        for place, name in enumerate(names)
    ]
    measures = [Measure(name, str(info[name])) for name in _INFO if name in info]
    return RedisStatistics(measures, len(names), sorted(sized, key=lambda key: -key.bytes)[:_SHOWN])


def _sample_keys(client: Any) -> list[bytes]:
    names: list[bytes] = []
    for name in client.scan_iter(count=500):
        names.append(name)
        if len(names) >= _SAMPLED:
            break
    return names


_PARTS = (
    "SELECT table, toUInt64(count()) AS parts, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts "
    "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC"
)
_METRICS = "SELECT metric, value FROM system.metrics WHERE value != 0 ORDER BY metric"


def clickhouse_statistics() -> ClickHouseStatistics:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        client = connect(settings.CLICKHOUSE_URL, connect_timeout=3, send_receive_timeout=10)
        parts = client.query(_PARTS).result_rows
        metrics = client.query(_METRICS).result_rows
    except (ClickHouseError, OSError) as error:
        raise UnableToAsk(type(error).__name__) from error
    tables = [TableParts(name, int(count), int(rows), int(size)) for name, count, rows, size in parts]
    return ClickHouseStatistics(tables, [Measure(name, str(value)) for name, value in metrics])
