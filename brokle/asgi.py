"""The one port's one application: edge routes go to the data plane, all else to Django, chosen once by path."""

import asyncio
import gc
import logging
import sys
from collections.abc import Sequence
from typing import Any

import brokle
from brokle.edge.dispatch import Dispatch
from brokle.edge.health import Health
from brokle.edge.http import Receive, Scope, Send
from brokle.edge.insiders import Insiders
from brokle.edge.metrics_page import MetricsPage
from brokle.edge.proxies import TrustedProxies
from brokle.edge.rooms import Room
from brokle.edge.runtime import Runtime, RuntimeSettings
from brokle.edge.watch import Watch, configure_logs, metrics_folder
from brokle.engines.probes import clickhouse_probe, postgres_probe
from brokle.settings.env import env

log = logging.getLogger("brokle.web")

# Threads of the control plane give the edge's loop its turn after half a millisecond, not five.
_SWITCH_INTERVAL_S = 0.0005


def _load_control_plane() -> Any:
    from brokle.web.asgi import control_plane

    return control_plane()


async def _refuse_upgrade(send: Send) -> None:
    """The edge speaks HTTP alone; by this status Codex knows at once to do so too, and does not try again and again."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": 426, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b'{"error": {"message": "Ask over HTTP"}}'})


class Application:
    def __init__(self, role: str, rooms: Sequence[Room] | None = None) -> None:
        configure_logs(env)
        self._role = role
        self._watch = Watch(env, role)
        self._proxies = TrustedProxies(env.items("BROKLE_TRUSTED_PROXIES"))
        self._rooms = rooms
        self._runtime: Runtime | None = None
        self._dispatch: Dispatch | None = None
        self._control: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxies and scope["type"] != "lifespan":
            self._proxies.correct(scope)
        if scope["type"] == "http":
            dispatch = self._dispatch
            assert dispatch is not None  # noqa: S101 - lifespan starts before the first request
            endpoint = dispatch.find(scope["path"])
            if endpoint is not None:
                await dispatch.serve(endpoint, scope, receive, send)
            elif self._control is not None:
                await self._control(scope, receive, send)
            else:
                await dispatch.refuse(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._dispatch is not None and self._dispatch.find(scope["path"]) is not None:
            await _refuse_upgrade(send)
        elif self._control is not None:
            await self._control(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception:
            log.exception("start failed")
            await send({"type": "lifespan.startup.failed", "message": "see the log"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._runtime is not None:
            await self._runtime.stop()
            await asyncio.to_thread(self._watch.stop)
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        self._watch.start()
        runtime = Runtime(RuntimeSettings.read(env), self._rooms)
        probes = {}
        if self._role == "web":
            self._control = await asyncio.to_thread(_load_control_plane)
            probes = {
                "postgres": postgres_probe(env.text("DATABASE_URL")),
                "clickhouse": clickhouse_probe(env.text("CLICKHOUSE_URL")),
            }
        insiders = Insiders(env.text("BROKLE_METRICS_TOKEN"))
        health = Health(runtime, brokle.__version__, probes, insiders)
        metrics = MetricsPage(self._watch.mirror, metrics_folder(env), insiders, health.checks)
        self._dispatch = runtime.dispatch(*health.endpoints(), metrics.endpoint())
        self._runtime = runtime
        await runtime.start()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.collect()
        gc.freeze()


application = Application(env.text("BROKLE_ROLE"))
