from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost. Every call has a total deadline, so that no peer can hold it for ever.

    `first_byte_s` runs from the moment the request is handed to the network, `idle_s` only while someone waits for
    the next part, `total_s` from the call to the last byte, over all its redirects.
    """

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    total_s: float = 600.0
    header_bytes: int = 64 * 1024
    header_count: int = 128
    body_bytes: int = 32 * 1024 * 1024
    """The most a buffered read returns, and the most a decoded body may grow to."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections one origin gets and how long they live."""

    connections: int = 256
    waiting: int = 1024
    idle_s: float = 15.0
    lifetime_s: float = 300.0


DEFAULT_LIMITS = Limits()
DEFAULT_POOL_LIMITS = PoolLimits()
