"""Tasks that a killed worker held go back: its own at its next start, a vanished machine's within a minute."""

import logging
import time
from typing import Any

from brokle.celery import UNACKED, app, node

log = logging.getLogger("brokle.worker")

_BEATS = "bk:workers"
_BEAT_EVERY_S = 5.0
_GONE_AFTER_S = 60.0


class Redelivery:
    """Each worker keeps what it holds under its own name, so that nobody gives back what another still works on."""

    def __init__(self, redis: Any, *, held_in: Any, gone_after_s: float = _GONE_AFTER_S) -> None:
        self._redis = redis
        self._held_in = held_in
        self._gone_after_s = gone_after_s
        self._beat_at = 0.0

    def restore_own(self) -> int:
        """Before the worker consumes: whatever stands under its name was held when it was killed."""
        return self._restore(node())

    def step(self) -> int:
        now = time.time()
        if now - self._beat_at < _BEAT_EVERY_S:
            return 0
        self._beat_at = now
        self._redis.zadd(_BEATS, {node(): now})
        for name in self._redis.zrangebyscore(_BEATS, "-inf", now - self._gone_after_s):
            self._restore(name.decode())
            self._redis.zrem(_BEATS, name)
        return 0

    def _restore(self, name: str) -> int:
        held = f"{UNACKED}:{name}"
        tags = self._held_in.hkeys(held)
        if not tags:
            return 0
        options = {**app.conf.broker_transport_options, "unacked_key": held, "unacked_index_key": f"{held}:index"}
        with app.connection_for_write(transport_options=options) as connection:
            channel = connection.default_channel
            for tag in tags:
                channel.qos.restore_by_tag(tag.decode(), leftmost=True)
        log.warning("gave back tasks of a worker that ended", extra={"node": name, "tasks": len(tags)})
        return len(tags)
