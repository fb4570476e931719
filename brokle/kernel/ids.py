"""Sortable, prefixed identifiers: `org_01jc9v7k2m8zq4x0t5…` (48 bits of milliseconds, 80 of chance)."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Two characters at a time: ids are made on the hot path.
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_STAMP_SHIFTS = (40, 30, 20, 10, 0)
_CHANCE_SHIFTS = (70, 60, 50, 40, 30, 20, 10, 0)


_POOL_BYTES = 4000
_pool = bytearray()


def _chance() -> bytes:
    """Ten random bytes. Drawn in bulk: each call of the system's source gives the interpreter lock away."""
    global _pool  # noqa: PLW0603 - one pool per process
    if len(_pool) < 10:
        _pool = bytearray(os.urandom(_POOL_BYTES))
    taken = bytes(_pool[-10:])
    del _pool[-10:]
    return taken


# A child must not repeat its parent's ids.
os.register_at_fork(after_in_child=lambda: _pool.clear())  # noqa: PLW0108 - the name is bound anew


def new_id(prefix: str) -> str:
    return id_of(prefix, time.time_ns() // 1_000_000, int.from_bytes(_chance()))


def id_of(prefix: str, stamp: int, chance: int) -> str:
    """From milliseconds and 80 bits that are given: for what is told to have happened before."""
    pairs = _PAIRS
    return "".join(
        [
            prefix,
            "_",
            *[pairs[(stamp >> shift) & 1023] for shift in _STAMP_SHIFTS],
            *[pairs[(chance >> shift) & 1023] for shift in _CHANCE_SHIFTS],
        ]
    )


def new_trace_id() -> str:
    return os.urandom(16).hex()


def new_span_id() -> str:
    return os.urandom(8).hex()
