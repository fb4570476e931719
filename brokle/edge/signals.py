"""Live notices over Redis: never the record of anything. Whoever listens now hears it; nobody else misses data."""

from typing import Any

import msgspec

from brokle.edge.resp import RedisDown, RedisLink
from brokle.kernel.ids import new_id

CHANNEL = "bk:live:"


def channel(room: str) -> str:
    return CHANNEL + room


def notice(room: str, kind: str, data: dict[str, Any]) -> bytes:
    """The frame as browsers get it, encoded once for all of them."""
    return msgspec.json.encode({"type": kind, "room": room, "data": data, "id": new_id("ntc")})


def publish(redis: RedisLink, room: str, kind: str, data: dict[str, Any]) -> None:
    """Not awaited and never in the way: without Redis the notice is simply not given."""
    try:
        future = redis.call("PUBLISH", channel(room), notice(room, kind, data))
    except RedisDown:
        return
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
