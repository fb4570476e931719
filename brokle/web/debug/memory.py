"""What holds memory: all processes by size, and this one's allocations by line while that is being recorded."""

import json
import os
import tracemalloc
from dataclasses import dataclass

import psutil
from django.conf import settings

from brokle.web.debug.processor import short

_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Resident:
    """A child of the supervisor with its own children; memory that they share counts for each."""

    name: str
    pid: int
    processes: int
    bytes: int
    is_this: bool


@dataclass(frozen=True, slots=True)
class Allocation:
    file: str
    line: int
    bytes: int
    count: int


def list_processes() -> list[Resident]:
    """As run.json names them, largest first; without it this process alone."""
    found = [line for name, pid in _children() if (line := _family(name, pid)) is not None]
    if not any(line.is_this for line in found):
        this = _family("web", os.getpid())
        found += [this] if this is not None else []
    return sorted(found, key=lambda line: -line.bytes)


def _children() -> list[tuple[str, int]]:
    try:
        run = json.loads((settings.DATA_DIR / "run.json").read_bytes())
    except (OSError, ValueError):
        return []
    return [(child["name"], child["pid"]) for child in run.get("children", []) if child.get("pid")]


def _family(name: str, pid: int) -> Resident | None:
    try:
        parent = psutil.Process(pid)
        members = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return None
    sizes = [size for member in members if (size := _resident(member)) is not None]
    return Resident(name, pid, len(sizes), sum(sizes), any(member.pid == os.getpid() for member in members))


def _resident(process: psutil.Process) -> int | None:
    try:
        size: int = process.memory_info().rss
    except psutil.Error:
        return None
    return size


def is_recording() -> bool:
    return tracemalloc.is_tracing()


def start_recording() -> None:
    """Costs about a third of this process's speed until it is stopped."""
    if not tracemalloc.is_tracing():
        tracemalloc.start(_FRAMES)


def stop_recording() -> None:
    tracemalloc.stop()


def list_allocations(limit: int = 30) -> list[Allocation]:
    if not tracemalloc.is_tracing():
        return []
    own = tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)
    snapshot = tracemalloc.take_snapshot().filter_traces([own])
    return [
        Allocation(short(found.traceback[0].filename), found.traceback[0].lineno, found.size, found.count)
        for found in snapshot.statistics("lineno")[:limit]
    ]
