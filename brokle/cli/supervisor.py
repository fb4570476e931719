"""Starts everything, keeps it running, takes it down in order."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

import brokle
from brokle.cli.executor import LateStart
from brokle.edge.watch import configure_logs
from brokle.engines.fleet import Fleet, clear_leftovers, running_instance
from brokle.engines.layout import Layout
from brokle.engines.process import Child, identify
from brokle.kernel.log_file import Rotation
from brokle.settings.env import Environment

log = logging.getLogger("brokle.serve")

_BACKOFF_MAX_S = 30.0
_HEALTHY_AFTER_S = 30.0
_TICK_S = 0.25


class UnableToServe(Exception):
    """One line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    host: str
    port: int
    workers: int
    role: str
    dev: bool = False


@dataclass(slots=True)
class Watched:
    """A child and its history of failures."""

    child: Child
    restarts: int = 0
    failures: int = 0
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float = 0.0
    last_exit: int | None = None
    workers: set[int] = field(default_factory=set)

    def state(self) -> str:
        return "running" if self.child.is_running() else "restarting"


class CodeChanges(threading.Thread):
    """Development only: notices saved Python files."""

    def __init__(self) -> None:
        super().__init__(name="code-changes", daemon=True)
        self._changed = threading.Event()
        self.start()

    def run(self) -> None:
        from watchfiles import PythonFilter, watch

        folders = [str(brokle.HOUSE / name) for name in ("brokle", "apps", "ee") if (brokle.HOUSE / name).is_dir()]
        for _ in watch(*folders, watch_filter=PythonFilter(), debounce=200, step=50):
            self._changed.set()

    def take(self) -> bool:
        changed = self._changed.is_set()
        self._changed.clear()
        return changed


class Supervisor:
    def __init__(self, layout: Layout, environment: Environment, options: ServeOptions) -> None:
        self._layout = layout
        self._environment = environment
        self._options = options
        self._lock = layout.lock()
        self._fleet = Fleet(layout, environment)
        self._watched: dict[str, Watched] = {}
        self._stopping = False
        self._reported: Any = None
        chosen = environment.text_or_off("BROKLE_LOG_FILE")
        self._log_file = layout.data_dir / chosen if chosen else None
        self._executor_start = LateStart(options.host, options.port) if options.role == "all" else None

    def run(self) -> int:
        self._refuse_second_start()
        self._refuse_taken_port()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self._draining_flag.unlink(missing_ok=True)
        if self._log_file is not None:
            configure_logs(self._environment, file=str(self._log_file))
        try:
            for name in clear_leftovers(self._layout):
                log.warning("ended a leftover of the last run", extra={"child": name})
            self._start()
            self._watch()
        finally:
            self._stop()
        return 0

    @property
    def _draining_flag(self) -> Any:
        return self._layout.data_dir / "draining"

    @property
    def _address(self) -> str:
        host = "localhost" if self._options.host in {"127.0.0.1", "0.0.0.0", "::"} else self._options.host  # noqa: S104
        return f"http://{host}:{self._options.port}"

    def _ask_to_stop(self, number: int, frame: Any) -> None:
        self._stopping = True

    def _refuse_second_start(self) -> None:
        self._layout.prepare()
        if self._lock.acquire():
            return
        run = running_instance(self._layout) or {}
        where = f" at {run['address']}" if run.get("address") else ""
        raise UnableToServe(f"Brokle already runs on {self._layout.data_dir}{where}; stop it or use another --data-dir")

    def _refuse_taken_port(self) -> None:
        family = socket.AF_INET6 if ":" in self._options.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._options.host, self._options.port))
            except OSError as error:
                raise UnableToServe(
                    f"cannot listen on {self._options.host}:{self._options.port} ({error.strerror}); "
                    "choose another with --port"
                ) from None

    def _start(self) -> None:
        began = time.monotonic()
        self._fleet.start()
        self._write_run()
        for name, child in self._fleet.children.items():
            self._watched[name] = Watched(child)
        self._fleet.wait_ready("postgres", "redis")
        self._prepare()
        for child in self._role_children():
            if self._stopping:
                return
            child.start()
            self._watched[child.name] = Watched(child)
        self._write_run()
        log.info("started", extra={"address": self._address, "seconds": round(time.monotonic() - began, 2)})

    def _prepare(self) -> None:
        """Migrations, first-start bootstrap and the first snapshot, in a process that takes Django away with it."""
        if self._options.role == "edge" and self._environment.given("DATABASE_URL"):
            return
        command = [sys.executable, "-m", "brokle", "prepare"]
        done = subprocess.run(command, env=self._child_environment(), check=False)
        if done.returncode != 0:
            raise UnableToServe("preparing the databases failed; the lines above say why")

    def _role_children(self) -> list[Child]:
        role = self._options.role
        children = []
        if role in {"all", "web", "edge"}:
            children.append(self._web_child("edge" if role == "edge" else "web"))
            children.append(self._python_child("shipper", "brokle.edge.ship", stop_seconds=30))
        if self._options.dev:
            children.append(self._python_child("assets", "brokle.web.build_assets", "--watch", stop_seconds=5))
        if role in {"all", "worker"}:
            worker = self._python_child("worker", "brokle.cli.worker", stop_seconds=30)
            worker.environment = {**worker.environment, "BROKLE_ROLE": "worker"}
            children.append(worker)
        if role == "executor":
            children.append(self._executor_child())
        return children

    def _executor_child(self) -> Child:
        child = self._python_child("executor", "brokle.cli.worker", "--executor", stop_seconds=30)
        child.environment = {**child.environment, "BROKLE_ROLE": "executor"}
        return child

    def _start_executor_when_due(self) -> None:
        if self._executor_start is None or not self._executor_start.is_due():
            return
        self._executor_start = None
        child = self._executor_child()
        child.start()
        self._watched[child.name] = Watched(child)

    def _web_child(self, role: str) -> Child:
        options = self._options
        child = self._python_child(
            "web",
            "brokle.edge.server",
            *("--host", options.host, "--port", str(options.port), "--workers", str(options.workers)),
            stop_seconds=self._environment.integer("BROKLE_DRAIN_SECONDS") + 5,
        )
        child.environment = {**child.environment, "BROKLE_ROLE": role}
        return child

    def _python_child(self, name: str, module: str, *arguments: str, stop_seconds: float) -> Child:
        return Child(
            name=name,
            command=[sys.executable, "-m", module, *arguments],
            environment=self._child_environment(),
            stop_seconds=stop_seconds,
        )

    def _child_environment(self) -> dict[str, str]:
        secret = self._environment.text("BROKLE_SECRET_KEY") or self._layout.secret("secret_key")
        return self._environment.for_child(
            **self._fleet.urls(),
            BROKLE_DATA_DIR=str(self._layout.data_dir),
            BROKLE_SECRET_KEY=secret,
            BROKLE_LOG_FILE=str(self._log_file or "off"),
            BROKLE_DEV="1" if self._options.dev else "",
            BROKLE_HOST=self._options.host,
            BROKLE_PORT=str(self._options.port),
            PYTHONPATH=_python_path(self._environment),
            DJANGO_SETTINGS_MODULE="brokle.settings.dev" if self._options.dev else "brokle.settings.prod",
        )

    def _watch(self) -> None:
        changes = CodeChanges() if self._options.dev else None
        rotation = Rotation(self._log_file) if self._log_file is not None else None
        while not self._stopping:
            if changes is not None and changes.take():
                self._reload()
            for watched in self._watched.values():
                self._tend(watched)
            self._start_executor_when_due()
            self._report()
            if rotation is not None:
                rotation.step()
            time.sleep(_TICK_S)

    def _reload(self) -> None:
        """New code in every process that runs ours; engines and the listener's socket stay."""
        log.info("reloading")
        self._watched["web"].child.signal(signal.SIGHUP)
        self._watched["web"].workers = set()
        for name in ("shipper", "worker"):
            if name in self._watched:
                self._watched[name].child.stop()
                self._watched[name].child.start()

    def _tend(self, watched: Watched) -> None:
        child, now = watched.child, time.monotonic()
        if child.is_running():
            if now - watched.started_at > _HEALTHY_AFTER_S:
                watched.failures = 0
            self._count_workers(watched)
            return
        if not watched.restart_at:
            watched.last_exit = child.exit_code()
            watched.failures += 1
            pause = min(0.25 * 2**watched.failures, _BACKOFF_MAX_S)
            watched.restart_at = now + pause
            log.error("process ended", extra={"child": child.name, "exit_code": watched.last_exit, "again_in_s": pause})
        elif now >= watched.restart_at:
            child.stop()
            self._fresh_engine_socket(child)
            child.start()
            watched.restarts += 1
            watched.started_at, watched.restart_at = now, 0.0
            self._write_run()

    def _fresh_engine_socket(self, child: Child) -> None:
        """An engine that died leaves its pid file behind; its own `child()` clears that."""
        for engine in self._fleet.engines:
            if engine.name == child.name:
                engine.child()

    def _count_workers(self, watched: Watched) -> None:
        """The web process replaces its own workers; a set of pids that changed tells that it did."""
        if watched.child.name != "web" or watched.child.pid is None:
            return
        try:
            pids = {process.pid for process in psutil.Process(watched.child.pid).children()}
        except psutil.Error:
            return
        gone = watched.workers - pids
        if gone and len(pids) >= self._options.workers:
            watched.restarts += len(gone)
            log.error("web worker ended and was replaced", extra={"pids": sorted(gone)})
            watched.workers = pids
        elif not gone:
            watched.workers = pids

    def _report(self) -> None:
        """run.json feeds /health; it is written only when something changed."""
        now = [
            {"name": name, "state": w.state(), "restarts": w.restarts, "last_exit": w.last_exit, "pid": w.child.pid}
            for name, w in self._watched.items()
        ]
        if now != self._reported:
            self._reported = now
            self._write_run()

    def _write_run(self) -> None:
        children = [*self._fleet.children.values(), *(w.child for w in self._watched.values())]
        identities = {c.name: {"name": c.name, **found} for c in children if (found := c.identity()) is not None}
        self._layout.write_run(
            {
                "version": brokle.__version__,
                "supervisor": identify(os.getpid()),
                "address": self._address,
                "urls": self._all_urls(),
                "identities": list(identities.values()),
                "children": self._reported or [],
            }
        )

    def _all_urls(self) -> dict[str, str]:
        given = {n: self._environment.text(n) for n in ("DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL")}
        return {**{name: url for name, url in given.items() if url}, **self._fleet.urls()}

    def _stop(self) -> None:
        """Readiness first, then the listener, the workers, the shipper, the engines; each after those who need it."""
        with contextlib.suppress(OSError):
            self._draining_flag.touch()
        if "web" in self._watched:
            time.sleep(self._environment.integer("BROKLE_DRAIN_DELAY_SECONDS"))
        for name in ("web", "worker", "executor"):
            if name in self._watched:
                self._watched[name].child.signal(signal.SIGTERM)
        for name in ("web", "worker", "executor", "shipper"):
            if name in self._watched:
                self._watched[name].child.stop()
        self._fleet.stop()
        self._draining_flag.unlink(missing_ok=True)
        self._layout.run_file.unlink(missing_ok=True)
        self._layout.clear_run_dir()
        self._lock.release()
        log.info("stopped")


def _python_path(environment: Environment) -> str:
    """Children find the same code, wherever they are started from and whether or not it is installed."""
    from pathlib import Path

    home = str(Path(brokle.__file__).parent.parent)
    former = environment.for_child().get("PYTHONPATH", "")
    return os.pathsep.join(part for part in (home, former) if part)
