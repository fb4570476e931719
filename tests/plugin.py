"""Engines for the suite: one PostgreSQL and one ClickHouse per run, a Redis of its own for every xdist worker.

Loaded with `-p tests.plugin`, so that addresses stand in the environment before Django's settings are read.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokle.engines.fleet import ClickHouse
from brokle.engines.layout import Layout
from brokle.engines.postgres import Postgres
from brokle.engines.process import Child
from brokle.engines.redis_server import Redis
from brokle.settings import env as environment
from tests.docker_engine import ensure_docker_engine, stop_docker_engine

_ENVIRON = os.environ
_HOME = "BROKLE_SUITE_HOME"
_HEAVY = ("docker", "e2e", "engines")
_CONTROLLER = "PYTEST_XDIST_WORKER" not in _ENVIRON


def _home() -> Path:
    if _HOME not in _ENVIRON:
        _ENVIRON[_HOME] = tempfile.mkdtemp(prefix="bksuite-")
    return Path(_ENVIRON[_HOME])


class SuiteEngines:
    def __init__(self) -> None:
        self._shared = Layout.at(_home() / "shared")
        self._own = Layout.at(_home() / _ENVIRON.get("PYTEST_XDIST_WORKER", "main"))
        for layout in (self._shared, self._own):
            layout.prepare()
        base = dict(_ENVIRON)
        self._postgres = Postgres(self._shared, base)
        self._redis = Redis(self._own, base)
        self._children: list[Child] = []
        _ENVIRON.update(
            BROKLE_SECRET_KEY="a-secret-for-the-suite",
            BROKLE_DATA_DIR=str(self._own.data_dir),
            REDIS_URL=self._redis.url,
            DATABASE_URL=self._postgres.url,
        )
        self._outside_clickhouse = bool(_ENVIRON.get("CLICKHOUSE_URL"))
        if _CONTROLLER and not self._outside_clickhouse:
            self._clickhouse = ClickHouse(self._shared, base)
            _ENVIRON["CLICKHOUSE_URL"] = self._clickhouse.url
        environment.env = environment.Environment(_ENVIRON)  # it was read when the engines were imported

    def start(self) -> None:
        if _CONTROLLER:
            self._start(self._postgres)
            if not self._outside_clickhouse:
                self._start(self._clickhouse)
        self._start(self._redis)

    @property
    def redis_child(self) -> Child:
        return next(child for child in self._children if child.name == Redis.name)

    def start_redis_again(self) -> None:
        if not self.redis_child.is_running():
            self._children.remove(self.redis_child)
            self._start(self._redis)

    def _start(self, engine: Postgres | Redis | ClickHouse) -> None:
        engine.prepare()
        child = engine.child()
        child.start()
        self._children.append(child)
        engine.wait_ready(child)

    def stop(self) -> None:
        for child in reversed(self._children):
            child.stop()
        for layout in (self._own, *([self._shared] if _CONTROLLER else [])):
            shutil.rmtree(layout.run_dir(), ignore_errors=True)
        if _CONTROLLER:
            stop_docker_engine(_home())
            shutil.rmtree(_home(), ignore_errors=True)


_engines = SuiteEngines()
_failed: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where `tests/run-suite` asks for it, the tests that failed are written down, one a line."""
    if report.failed and report.nodeid not in _failed:
        _failed.append(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules go to the workers whole and in this order: what starts most first, so that nobody waits for it last."""
    places: dict[Path, int] = {}
    for item in items:
        places[item.path] = min(places.get(item.path, len(_HEAVY)), _place(item))
    items.sort(key=lambda item: places[item.path])


def _place(item: pytest.Item) -> int:
    return next((place for place, name in enumerate(_HEAVY) if item.get_closest_marker(name)), len(_HEAVY))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    _engines.start()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    _engines.stop()
    told = _ENVIRON.get("BROKLE_SUITE_FAILED")
    if told and _CONTROLLER:
        Path(told).write_text("".join(f"{name}\n" for name in _failed), encoding="utf-8")


@pytest.fixture
def stop_redis() -> Iterator[Callable[[], None]]:
    """Stops the Redis of this worker when called; it is there again after the test."""
    yield _engines.redis_child.stop
    _engines.start_redis_again()


@pytest.fixture(scope="session")
def docker_host() -> None:
    """A Docker Engine answers from here on."""
    ensure_docker_engine(_home())
