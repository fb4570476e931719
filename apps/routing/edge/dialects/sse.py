"""Server-sent events as providers send them: cut anywhere, ended by any kind of line break."""

import re
from itertools import pairwise
from typing import Final

_BOUNDARY: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
LARGEST_EVENT: Final = 8 * 1024 * 1024


class EventTooLarge(Exception):
    """One event without an end; nothing sensible follows."""


class Events:
    """Feeds on chunks, gives `(event, data)` of every event that is whole; comments are left out."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        data = self._rest + chunk
        found = []
        start = 0
        for end in _BOUNDARY.finditer(data):
            event = parsed(data[start : end.start()])
            if event is not None:
                found.append(event)
            start = end.end()
        self._rest = data[start:]
        if len(self._rest) > LARGEST_EVENT:
            raise EventTooLarge
        return found

    def finish(self) -> list[tuple[bytes, bytes]]:
        """What stood at the end without its empty line."""
        event = parsed(self._rest)
        self._rest = b""
        return [] if event is None else [event]


def parsed(block: bytes) -> tuple[bytes, bytes] | None:
    name, data = b"", []
    for line in block.splitlines():
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return (name, b"\n".join(data)) if data else None


def written(data: bytes, event: bytes = b"") -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event, data) if event else b"data: %b\n\n" % data


def end_of_events(data: bytes) -> int:
    """Just after the last whole event, or -1."""
    end = data.rfind(b"\n\n")
    if b"\r" not in data:
        return end + 2 if end >= 0 else -1
    return max((found.end() for found in _BOUNDARY.finditer(data)), default=-1)


def end_of_event(block: bytes) -> int:
    """Just after the first event."""
    found = _BOUNDARY.search(block)
    return len(block) if found is None else found.end()


def start_of_event(block: bytes, at: int) -> int:
    """Where the event begins that holds the byte at this place."""
    if b"\r" not in block:
        end = block.rfind(b"\n\n", 0, at)
        return 0 if end < 0 else end + 2
    return max((found.end() for found in _BOUNDARY.finditer(block, 0, at)), default=0)


def split_events(block: bytes) -> list[bytes]:
    """Each with the bytes it came in."""
    ends = [0, *(found.end() for found in _BOUNDARY.finditer(block))]
    return [block[start:end] for start, end in pairwise(ends)]


def payload_of(event: bytes) -> bytes:
    """The data of an event, its lines joined as the standard says; empty for comments."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)
