"""Where this process spends its time: the stacks of all threads, looked at many times a second."""

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import FrameType

_INTERVAL_S = 0.005
_DEPTH_MAX = 120
# A thread whose innermost Python frame is here waits in C: for work, a lock, a socket, the server's own loop.
_WAITING = (
    "threading.py",
    "selectors.py",
    "queue.py",
    "concurrent/futures/thread.py",
    "asyncio/runners.py",
)

Place = tuple[str, str, int]
"""Function, file and line of its definition."""


@dataclass(frozen=True, slots=True)
class Spent:
    function: str
    file: str
    line: int
    own: float
    total: float


@dataclass(frozen=True, slots=True)
class Profile:
    seconds: float
    samples: int
    threads: int
    busiest: list[Spent]


def sample(seconds: float, *, limit: int = 40) -> Profile:
    """Looks at the other threads for so long; its own thread is not counted. Waiting threads are not either."""
    own: Counter[Place] = Counter()
    total: Counter[Place] = Counter()
    me = threading.get_ident()
    looks = busy = 0
    threads: set[int] = set()
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        looks += 1
        for thread, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way to see all threads
            if thread != me and not frame.f_code.co_filename.endswith(_WAITING):
                busy += 1
                threads.add(thread)
                _count(frame, own, total)
        time.sleep(_INTERVAL_S)
    return Profile(seconds, looks, len(threads), _busiest(own, total, busy, limit))


def _count(frame: FrameType, own: Counter[Place], total: Counter[Place]) -> None:
    own[_place(frame)] += 1
    seen: set[Place] = set()
    current: FrameType | None = frame
    while current is not None and len(seen) < _DEPTH_MAX:
        seen.add(_place(current))
        current = current.f_back
    total.update(seen)


def _place(frame: FrameType) -> Place:
    code = frame.f_code
    return code.co_qualname, code.co_filename, code.co_firstlineno


def _busiest(own: Counter[Place], total: Counter[Place], busy: int, limit: int) -> list[Spent]:
    ranked = sorted(total, key=lambda place: (own[place], total[place]), reverse=True)[:limit]
    return [
        Spent(function, short(file), line, own[(function, file, line)] / busy, total[(function, file, line)] / busy)
        for function, file, line in ranked
    ]


def short(file: str) -> str:
    """From the package on; where it is installed tells nothing."""
    _, _, inside = file.rpartition("/site-packages/")
    return "/".join(inside.split("/")[-3:])
