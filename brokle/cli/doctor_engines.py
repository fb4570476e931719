"""What the engines say: up, which version, migrated, and how far the data plane lags."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from brokle.cli.doctor_findings import Check
from brokle.engines.layout import Layout
from brokle.settings.env import env

_FOLLOW = "see the last lines of"
_SPOOL_LAG_WARN_S = 60.0
_CLOCK_SKEW_WARN_S = 2.0


def checks(layout: Layout, urls: Mapping[str, str]) -> Iterator[Check]:
    up = []
    for name, setting, ask in (
        ("postgres", "DATABASE_URL", _postgres),
        ("redis", "REDIS_URL", _redis),
        ("clickhouse", "CLICKHOUSE_URL", _clickhouse),
    ):
        check = _engine(layout, name, lambda ask=ask, setting=setting: ask(urls[setting]))
        yield check
        if check.state != "bad":
            up.append(name)
    if "postgres" in up:
        yield from _migrations(urls["DATABASE_URL"])
        yield _skew(urls["DATABASE_URL"])
    if {"postgres", "redis"} <= set(up):
        yield _snapshot(urls["DATABASE_URL"], urls["REDIS_URL"])
    yield _spool(layout)


def _engine(layout: Layout, name: str, ask: Callable[[], str]) -> Check:
    try:
        ask()  # the first one also loads the client
        began = time.perf_counter()
        version = ask()
    except Exception as error:  # noqa: BLE001 - an engine may be away in any way; all of them mean down
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name, "bad", f"does not answer ({reason[0][:120]})", f"{_FOLLOW} {layout.logs / name}.log")
    return Check(name, "ok", f"{version} answers in {(time.perf_counter() - began) * 1000:.0f} ms")


def _postgres(url: str) -> str:
    from brokle.engines.backup.postgres import server_version

    return f"PostgreSQL {server_version(url)}"


def _redis(url: str) -> str:
    from brokle.engines.backup.redis_keys import server_version

    return f"Redis {server_version(url)}"


def _clickhouse(url: str) -> str:
    from brokle.engines.backup.clickhouse import server_version

    return f"ClickHouse {server_version(url)}"


def _migrations(url: str) -> Iterator[Check]:
    """Read from Django's own table, without setting Django up for another database than its settings name."""
    import brokle

    wanted = {(path.parent.name, path.stem) for path in (brokle.HOUSE / "migrations" / "postgres").glob("*/[0-9]*.py")}
    applied = _rows(url, "SELECT app, name FROM django_migrations")
    if applied is None:
        yield Check("migrations", "warn", "none are applied yet", "brokle migrate up")
        return
    pending = sorted(".".join(name) for name in wanted - {tuple(row) for row in applied})
    if pending:
        yield Check("migrations", "bad", f"{len(pending)} pending, first {pending[0]}", "brokle migrate up")
    else:
        yield Check("migrations", "ok", f"{len(wanted)} applied")


def _skew(url: str) -> Check:
    rows = _rows(url, "SELECT extract(epoch FROM clock_timestamp())::float8")
    skew = abs(float(rows[0][0]) - time.time()) if rows else 0.0
    state = "warn" if skew > _CLOCK_SKEW_WARN_S else "ok"
    return Check("clock skew", state, f"{skew:.2f} s from PostgreSQL's", "run NTP on both machines")


def _snapshot(database_url: str, redis_url: str) -> Check:
    import redis

    from brokle.edge.snapshot import META

    state = _rows(database_url, "SELECT version, epoch FROM snapshot_version")
    client = redis.Redis.from_url(redis_url)
    published = {name.decode(): value.decode() for name, value in client.hgetall(META).items()}
    client.close()
    if not state or not published:
        return Check("snapshot", "warn", "none is published yet", "the worker publishes it: brokle serve")
    rows = _rows(database_url, "SELECT count(*), extract(epoch FROM now() - min(created_at)) FROM snapshot_change")
    waiting, age = rows[0] if rows else (0, None)
    if state[0][1] != published.get("epoch"):
        return Check("snapshot", "warn", "Redis holds another epoch", "the worker publishes anew: is it running?")
    if waiting and age is not None and float(age) > 10:
        return Check(
            "snapshot", "bad", f"{waiting} changes wait, the oldest {float(age):.0f} s", "is the worker running?"
        )
    return Check("snapshot", "ok", f"version {published.get('version')}, {waiting} changes wait")


def _spool(layout: Layout) -> Check:
    segments = [path for path in layout.spool.rglob("*") if path.is_file()]
    size = sum(_size(path) for path in segments)
    oldest = min((path.stat().st_mtime for path in segments if path.exists()), default=time.time())
    lag, limit = time.time() - oldest, env.integer("BROKLE_SPOOL_MAX_MB") * 1024 * 1024
    detail = f"{len(segments)} segments, {size / 1e6:.1f} MB, oldest {lag:.0f} s"
    if size > limit * 0.9:
        return Check("spool", "bad", detail, "telemetry stops at the cap; is ClickHouse there, does the shipper run?")
    if segments and size and lag > _SPOOL_LAG_WARN_S:
        return Check("spool", "warn", detail, "start brokle serve: the shipper delivers what waits")
    return Check("spool", "ok", detail)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _rows(url: str, sql: str) -> list[Any] | None:
    """None when the table is not there."""
    import psycopg
    from psycopg.errors import UndefinedTable

    with psycopg.connect(url, connect_timeout=5) as connection:
        try:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]
        except UndefinedTable:
            return None
