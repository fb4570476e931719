"""`/metrics` for Prometheus: all processes of this data dir together, from whichever of them is asked."""

import asyncio
import json
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import brokle
from brokle.edge.dispatch import Endpoint
from brokle.edge.http import Request
from brokle.edge.insiders import Insiders
from brokle.edge.segments import lag_seconds
from brokle.edge.spool import used_bytes
from brokle.kernel.errors import Forbidden, Unauthorized
from brokle.kernel.metrics import Dump
from brokle.kernel.metrics_files import Mirror, collect
from brokle.kernel.metrics_merge import CONTENT_TYPE, counter_family, gauge_family, render

_GET = frozenset({"GET", "HEAD"})
Checks = Callable[[], Awaitable[dict[str, Any]]]


class MetricsPage:
    def __init__(self, mirror: Mirror, folder: Path, insiders: Insiders, checks: Checks) -> None:
        self._mirror = mirror
        self._folder = folder
        self._data_dir = folder.parent
        self._insiders = insiders
        self._checks = checks

    def endpoint(self) -> Endpoint:
        return Endpoint("/metrics", self.answer, "", methods=_GET, is_traced=False)

    async def answer(self, request: Request) -> None:
        self._admit(request)
        checks = await self._checks()
        body = await asyncio.to_thread(self._scrape, checks)
        await request.reply(200, b"" if request.method == "HEAD" else body, (b"content-type", CONTENT_TYPE))

    def _admit(self, request: Request) -> None:
        if self._insiders.include(request):
            return
        if self._insiders.is_token_set:
            raise Unauthorized("Send BROKLE_METRICS_TOKEN as a bearer token")
        raise Forbidden("Metrics are for loopback; set BROKLE_METRICS_TOKEN to read them from elsewhere")

    def _scrape(self, checks: dict[str, Any]) -> bytes:
        self._mirror.write()
        dump = collect(self._folder)
        dump.update(self._state(checks))
        return render(dump)

    def _state(self, checks: dict[str, Any]) -> Dump:
        """What is true right now whoever counts: engines, spool, process tree, version."""
        spool = self._data_dir / "spool"
        children = self._children()
        up = [((name,), float(check["status"] == "ok")) for name, check in checks.items()]
        running = [((child["name"],), float(child["state"] == "running")) for child in children]
        restarts = [((child["name"],), float(child["restarts"])) for child in children]
        build = [((brokle.__version__, platform.python_version()), 1.0)]
        used = float(used_bytes(spool)) if spool.is_dir() else 0.0
        return {
            "brokle_build_info": gauge_family("Version of Brokle and Python.", ("version", "python"), build),
            "brokle_engine_up": gauge_family("1 while the engine answers.", ("engine",), up),
            "brokle_process_up": gauge_family("1 while the process runs.", ("process",), running),
            "brokle_process_restarts_total": counter_family("Restarts after a crash.", ("process",), restarts),
            "brokle_spool_bytes": gauge_family("Disk the spool uses.", (), [((), used)]),
            "brokle_spool_lag_seconds": gauge_family(
                "Age of the oldest closed segment not yet everywhere.", (), [((), lag_seconds(spool))]
            ),
        }

    def _children(self) -> list[dict[str, Any]]:
        try:
            run = json.loads((self._data_dir / "run.json").read_bytes())
        except (OSError, ValueError):
            return []
        children: list[dict[str, Any]] = run.get("children", [])
        return children
