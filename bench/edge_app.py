"""The edge with two more endpoints: one does what every endpoint does (key, limit, record), one also relays."""

import os

import msgspec

from brokle.asgi import Application
from brokle.edge.dispatch import Endpoint
from brokle.edge.http import JSON, Request
from brokle.edge.rooms import Room
from brokle.edge.runtime import Runtime
from brokle.edge.spool import MONEY, recorder

_encode = msgspec.json.Encoder().encode


def open_room(runtime: Runtime) -> list[Endpoint]:
    record = recorder(runtime.spool, MONEY, "noop")

    async def noop(request: Request) -> None:
        principal = request.principal
        line = {
            "request_id": request.request_id,
            "organization_id": principal.organization_id,
            "environment_id": principal.environment_id,
            "key_id": principal.key_id,
            "latency_ms": request.elapsed_ms(),
        }
        record(_encode(line))
        await request.reply(200, b'{"ok":true}', JSON)

    upstream = os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9/")
    target = runtime.egress.prepare("POST", upstream, {"content-type": "application/json"})

    async def relay(request: Request) -> None:
        body = await request.body()
        async with target.send(body) as response:
            answer = await response.read()
        principal = request.principal
        line = {
            "request_id": request.request_id,
            "organization_id": principal.organization_id,
            "status": response.status,
            "latency_ms": request.elapsed_ms(),
        }
        record(_encode(line))
        await request.reply(response.status, answer, JSON)

    return [
        Endpoint("/v1/noop", noop, "gateway", methods=frozenset({"GET"})),
        Endpoint("/v1/relay", relay, "gateway"),
    ]


application = Application("edge", rooms=[Room("noop", open_room)])
