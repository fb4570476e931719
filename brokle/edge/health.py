"""`/health`: what a load balancer, an orchestrator and a person want to know, each at its own address.

Everybody learns one word, `status`. Versions, process ids, restarts and what the engines say are for insiders.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from brokle.edge.dispatch import Endpoint
from brokle.edge.http import JSON, Request
from brokle.edge.insiders import Insiders
from brokle.edge.resp import RedisDown
from brokle.edge.runtime import Runtime

Probe = Callable[[], Awaitable[None]]
_GET = frozenset({"GET", "HEAD"})
_PROBE_SECONDS = 2.0
_FRESH_SECONDS = 1.0


class Health:
    """Probes are cached for a second, so that health checks cannot become a load of their own."""

    def __init__(self, runtime: Runtime, version: str, probes: dict[str, Probe], insiders: Insiders) -> None:
        self._runtime = runtime
        self._version = version
        self._insiders = insiders
        self._probes = {"redis": self._redis, "spool": self._spool, **probes}
        self._data_dir: Path = runtime.settings.data_dir
        self._cached: tuple[float, dict[str, Any]] = (0.0, {})
        self._lock = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        def endpoint(path: str, handle: Callable[[Request], Awaitable[None]]) -> Endpoint:
            return Endpoint(path, handle, "", methods=_GET, is_traced=False)

        return [
            endpoint("/health", self.report),
            endpoint("/health/live", self.live),
            endpoint("/health/ready", self.ready),
            endpoint("/health/db", self._of("postgres")),
            endpoint("/health/cache", self._of("redis")),
            endpoint("/health/analytics", self._of("clickhouse")),
        ]

    async def report(self, request: Request) -> None:
        checks = await self.checks()
        tree = self._tree()
        failed = [name for name, check in checks.items() if check["status"] != "ok"]
        restarted = [child["name"] for child in tree.get("children", []) if child["state"] != "running"]
        status = "down" if "redis" in failed and not self._runtime.loader.is_loaded else "ok"
        if status == "ok" and (failed or restarted):
            status = "degraded"
        more = {"version": self._version, "checks": checks, "processes": tree.get("children", [])}
        await self._tell(request, 503 if status == "down" else 200, {"status": status, **more})

    async def live(self, request: Request) -> None:
        await _reply(request, 200, {"status": "ok"})

    async def ready(self, request: Request) -> None:
        """503 while draining and until the snapshot is there; an engine that is down does not take the edge away."""
        if self.is_draining():
            await _reply(request, 503, {"status": "draining"})
        elif not self._runtime.loader.is_loaded:
            await _reply(request, 503, {"status": "loading"})
        else:
            await _reply(request, 200, {"status": "ok"})

    def _of(self, name: str) -> Callable[[Request], Awaitable[None]]:
        async def handle(request: Request) -> None:
            check = (await self.checks()).get(name, {"status": "unknown"})
            await self._tell(request, 200 if check["status"] == "ok" else 503, check)

        return handle

    async def _tell(self, request: Request, status: int, body: dict[str, Any]) -> None:
        is_insider = self._insiders.include(request)
        await _reply(request, status, body if is_insider else {"status": body["status"]})

    async def checks(self) -> dict[str, Any]:
        async with self._lock:
            if time.monotonic() - self._cached[0] > _FRESH_SECONDS:
                names = list(self._probes)
                results = await asyncio.gather(*(self._run(self._probes[name]) for name in names))
                self._cached = (time.monotonic(), dict(zip(names, results, strict=True)))
            return self._cached[1]

    async def _run(self, probe: Probe) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await probe()
        except TimeoutError:
            return {"status": "down", "reason": "no answer in time"}
        except Exception as error:  # noqa: BLE001 - a probe may fail in any way; all of them mean down
            return {"status": "down", "reason": type(error).__name__}
        return {"status": "ok", "ms": round((time.perf_counter() - started) * 1000, 2)}

    async def _redis(self) -> None:
        if await self._runtime.redis.ask("PING") != b"PONG":
            raise RedisDown

    async def _spool(self) -> None:
        from brokle.edge.spool import MONEY

        self._runtime.spool.check_room(MONEY)

    def _tree(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self._data_dir / "run.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return content

    def is_draining(self) -> bool:
        return (self._data_dir / "draining").exists()


async def _reply(request: Request, status: int, body: dict[str, Any]) -> None:
    content = msgspec.json.encode(body)
    await request.reply(status, b"" if request.method == "HEAD" else content, JSON, (b"cache-control", b"no-store"))
