"""Which database of a Redis holds what."""

EMBEDDED_BROKER_DATABASE = 1


def broker_redis_url(redis_url: str) -> str:
    """Where background tasks wait: beside the state in an embedded Redis, as the address says on a server."""
    if not redis_url.startswith("unix:"):
        return redis_url
    return f"{redis_url.partition('?')[0]}?db={EMBEDDED_BROKER_DATABASE}"
