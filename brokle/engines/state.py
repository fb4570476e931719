"""Redis for the control plane: short-lived state that every process shares."""

from functools import lru_cache
from typing import Any

import redis

from brokle.settings.env import env


def state() -> Any:
    """One client per process and address; it connects when first asked and gives up after two seconds."""
    return _client(env.text("REDIS_URL"))


@lru_cache(maxsize=4)
def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
