"""Server-sent events as providers send them: cut anywhere, ended by any kind of line break."""

import re
from itertools import pairwise
from typing import Final

_BOUNDARY: Final = re.compile(rb"(?:\r\n\r\n|\n\n|\r\r)[\r\n]*")
"""Further empty lines belong to the event that they follow, so that none is lost between two."""
_LONGEST_BOUNDARY: Final = 4
LARGEST_EVENT: Final = 8 * 1024 * 1024


class EventTooLarge(Exception):
    """One event without an end; nothing sensible follows."""


class Gathered:
    """Chunks until an event ends in them. However small they are, each byte is looked at and copied once."""

    __slots__ = ("_pieces", "_size", "_tail")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """All that is whole by now, or nothing; an unfinished event waits for its end."""
        seen = self._tail + chunk
        end = end_of_events(seen)
        if end < 0:
            self._hold(chunk, seen)
            return b""
        cut = len(chunk) - len(seen) + end
        block = chunk[:cut] if not self._pieces else b"".join((*self._pieces, chunk[:cut]))
        self._forget()
        if rest := chunk[cut:]:
            self._hold(rest, rest)
        return block

    def finish(self) -> bytes:
        """What stood at the end without its empty line."""
        rest = b"".join(self._pieces)
        self._forget()
        return rest

    def _hold(self, piece: bytes, seen: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._tail = seen[-_LONGEST_BOUNDARY + 1 :]
        if self._size > LARGEST_EVENT:
            raise EventTooLarge

    def _forget(self) -> None:
        self._pieces.clear()
        self._size, self._tail = 0, b""


class Events:
    """Feeds on chunks, gives `(event, data)` of every event that is whole; comments are left out."""

    __slots__ = ("_gathered",)

    def __init__(self) -> None:
        self._gathered = Gathered()

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        block = self._gathered.feed(chunk)
        return [event for part in split_events(block) if (event := parsed(part)) is not None]

    def finish(self) -> list[tuple[bytes, bytes]]:
        """What stood at the end without its empty line."""
        event = parsed(self._gathered.finish())
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
