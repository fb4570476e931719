"""Live notices from the control plane: given when, and only when, the change they tell of is committed."""

import logging
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from brokle.edge.signals import channel, notice
from brokle.web.live.identity import person_room

log = logging.getLogger("brokle.web.live")


def publish_live(*, room: str, kind: str, data: dict[str, Any]) -> None:
    """Tells everyone in a `/ws` room, such as `requests:env_…`; without Redis nobody is told and nothing fails."""
    frame = notice(room, kind, data)
    transaction.on_commit(lambda: _send(room, frame))


def recheck_sockets(*, user_id: str) -> None:
    """After a session, token, account or place ended: within a second the person's sockets ask anew what they may."""
    transaction.on_commit(lambda: _send(person_room(user_id), b"{}"))


def _send(room: str, frame: bytes) -> None:
    try:
        _client(settings.REDIS_URL).publish(channel(room), frame)
    except RedisError as error:
        log.warning("live notice not given", extra={"reason": type(error).__name__})


@lru_cache(maxsize=1)
def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
