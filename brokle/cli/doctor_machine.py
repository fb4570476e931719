"""What the machine gives: Python, wheels, disk, port, clock, built assets."""

import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator

from brokle.cli.doctor_findings import Check
from brokle.engines.fleet import running_instance
from brokle.engines.layout import Layout
from brokle.engines.postgres import binaries
from brokle.engines.process import UnableToStart
from brokle.engines.redis_server import find_server
from brokle.settings.env import env

_GIGABYTE = 1_000_000_000
_OLDEST_CLOCK_S = 1_767_225_600  # 2026: before this version was made


def checks(layout: Layout) -> Iterator[Check]:
    yield _python()
    yield from _engines()
    yield _data_dir(layout)
    yield _disk(layout)
    yield _port(layout)
    yield _clock()
    yield _assets()


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.machine()} {platform.system()}")


def _engines() -> Iterator[Check]:
    for name, setting, find in (
        ("postgres", "DATABASE_URL", binaries),
        ("redis", "REDIS_URL", find_server),
        ("clickhouse", "CLICKHOUSE_URL", _chdb),
    ):
        if env.given(setting):
            yield Check(f"{name} wheel", "ok", f"not needed: {setting} is given")
            continue
        try:
            yield Check(f"{name} wheel", "ok", str(find()))
        except UnableToStart as error:
            yield Check(f"{name} wheel", "bad", str(error), f"or set {setting}")


def _chdb() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"chdb {version('chdb')}"
    except PackageNotFoundError:
        raise UnableToStart("no ClickHouse engine for this platform") from None


def _data_dir(layout: Layout) -> Check:
    if not layout.data_dir.exists():
        return Check("data dir", "warn", f"{layout.data_dir} is not there yet", "brokle serve makes it")
    if not os.access(layout.data_dir, os.R_OK | os.W_OK | os.X_OK):
        return Check("data dir", "bad", f"{layout.data_dir} cannot be written", "give it to this user, or --data-dir")
    return Check("data dir", "ok", str(layout.data_dir))


def _disk(layout: Layout) -> Check:
    place = layout.data_dir if layout.data_dir.exists() else layout.data_dir.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return Check("disk", "warn", f"{place} cannot be looked at", "make the folder")
    detail = f"{free / _GIGABYTE:.1f} GB free"
    if free < _GIGABYTE:
        return Check("disk", "bad", detail, "free some space: engines stop writing soon")
    return Check("disk", "warn" if free < 5 * _GIGABYTE else "ok", detail, "free some space")


def _port(layout: Layout) -> Check:
    run = running_instance(layout)
    if run is not None and "address" in run:
        return Check("port", "ok", f"Brokle answers at {run['address']}")
    port = env.integer("BROKLE_PORT")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((env.text("BROKLE_HOST"), port))
        except OSError as error:
            return Check("port", "warn", f"{port} cannot be taken ({error.strerror})", "--port, or stop who has it")
    return Check("port", "ok", f"{port} is free")


def _clock() -> Check:
    if time.time() < _OLDEST_CLOCK_S:
        return Check("clock", "bad", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "set the clock; run NTP")
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def _assets() -> Check:
    import brokle

    built = brokle.HOUSE / "static" / "dist"
    if not built.is_dir() or not any(built.iterdir()):
        return Check("assets", "warn", "the front end is not built", "make assets")
    return Check("assets", "ok", "built")
