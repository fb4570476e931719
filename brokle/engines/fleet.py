"""The engines this data dir needs, started side by side; only those without an address of their own."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from brokle.engines.clickhouse_url import answers
from brokle.engines.layout import Layout
from brokle.engines.postgres import Postgres
from brokle.engines.process import Child, UnableToStart, end_leftover, identify, still_runs, wait_until
from brokle.engines.redis_server import Redis
from brokle.settings.env import Environment

_URL_SETTINGS = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "clickhouse": "CLICKHOUSE_URL"}
_STOP_SIGNALS = {"postgres": signal.SIGINT}


class Engine(Protocol):
    name: str

    @property
    def url(self) -> str: ...

    def prepare(self) -> None: ...

    def child(self) -> Child: ...

    def wait_ready(self, child: Child, seconds: float = 60) -> None: ...


class UnableToStartClickHouse(UnableToStart):
    pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ClickHouse:
    """chDB behind ClickHouse's HTTP protocol, in a process of its own."""

    name = "clickhouse"

    def __init__(self, layout: Layout, environment: dict[str, str]) -> None:
        self._layout = layout
        self._environment = environment
        self._port = free_port()

    @property
    def url(self) -> str:
        password = self._layout.secret("clickhouse_password")
        return f"http://brokle:{password}@127.0.0.1:{self._port}/brokle"

    def prepare(self) -> None:
        self._layout.secret("clickhouse_password")

    def child(self) -> Child:
        return Child(
            name=self.name,
            command=[
                *(sys.executable, "-m", "brokle.engines.clickhouse"),
                *("--path", str(self._layout.clickhouse)),
                *("--port", str(self._port)),
                *("--password-file", str(self._layout.secrets / "clickhouse_password")),
            ],
            environment=self._environment,
            log_path=self._layout.logs / "clickhouse.log",
        )

    def is_ready(self) -> bool:
        return answers(self.url)

    def wait_ready(self, child: Child, seconds: float = 60) -> None:
        wait_until(lambda: not child.is_running() or self.is_ready(), seconds)
        if not child.is_running() or not self.is_ready():
            raise UnableToStartClickHouse(
                f"the ClickHouse engine did not start; its log is {self._layout.logs / 'clickhouse.log'}"
            )


@dataclass(slots=True)
class Fleet:
    """Embedded engines of one data dir and the environment that leads others to them."""

    layout: Layout
    environment: Environment
    engines: list[Engine] = field(default_factory=list)
    children: dict[str, Child] = field(default_factory=dict)

    def choose(self) -> None:
        base = self.environment.for_child()
        for name, make in (("postgres", Postgres), ("redis", Redis), ("clickhouse", ClickHouse)):
            if not self.environment.given(_URL_SETTINGS[name]):
                self.engines.append(make(self.layout, base))

    def start(self) -> None:
        self.choose()
        with ThreadPoolExecutor(max_workers=3) as pool:
            for future in [pool.submit(self._prepare, engine) for engine in self.engines]:
                future.result()
        for engine in self.engines:
            self.children[engine.name] = child = engine.child()
            child.start()

    def wait_ready(self, *names: str) -> None:
        for engine in self.engines:
            if not names or engine.name in names:
                engine.wait_ready(self.children[engine.name])

    def stop(self) -> None:
        """All are asked at once, then waited for."""
        for child in self.children.values():
            child.signal(child.stop_signal)
        for child in self.children.values():
            child.stop()

    def urls(self) -> dict[str, str]:
        return {_URL_SETTINGS[engine.name]: engine.url for engine in self.engines}

    def identities(self) -> list[dict[str, Any]]:
        return [
            {"name": name, **found} for name, child in self.children.items() if (found := child.identity()) is not None
        ]

    @staticmethod
    def _prepare(engine: Engine) -> None:
        engine.prepare()


def clear_leftovers(layout: Layout) -> list[str]:
    """After kill -9 of the supervisor: whoever it left behind is ended before anything new starts."""
    run = layout.read_run()
    if run is None:
        return []
    ended = [
        child["name"]
        for child in run.get("identities", [])
        if end_leftover(child, _STOP_SIGNALS.get(child["name"], signal.SIGTERM))
    ]
    layout.run_file.unlink(missing_ok=True)
    return ended


def running_instance(layout: Layout) -> dict[str, Any] | None:
    """What run.json says, if the supervisor it names is alive."""
    run = layout.read_run()
    if run is None or still_runs(run["supervisor"]) is None:
        return None
    return run


class UnableToFindEngines(Exception):
    pass


@contextlib.contextmanager
def engines_for(layout: Layout, environment: Environment) -> Iterator[Mapping[str, str]]:
    """Addresses for a local command: of the running instance, or of engines started for its duration."""
    layout.prepare()
    run = running_instance(layout)
    if run is not None:
        yield run["urls"]
        return
    lock = layout.lock()
    if not lock.acquire():
        raise UnableToFindEngines(f"another command uses {layout.data_dir} right now; try again in a moment")
    clear_leftovers(layout)
    fleet = Fleet(layout, environment)
    try:
        fleet.start()
        layout.write_run({"supervisor": identify(os.getpid()), "identities": fleet.identities(), "urls": fleet.urls()})
        fleet.wait_ready()
        yield fleet.urls()
    finally:
        fleet.stop()
        layout.run_file.unlink(missing_ok=True)
        layout.clear_run_dir()
        lock.release()
