"""AWS' event streams (`application/vnd.amazon.eventstream`): frames with lengths and sums, cut anywhere.

Smithy, "Amazon Event Stream Specification": length of all, length of the headers, a sum of both; the headers, the
payload, a sum of everything.
"""

import struct
import zlib
from typing import Final

import msgspec

from apps.routing.edge.dialects.sse import EventTooLarge

_PRELUDE: Final = struct.Struct(">III")
_SUM: Final = struct.Struct(">I")
_AROUND: Final = _PRELUDE.size + _SUM.size
_LARGEST: Final = 24 * 1024 * 1024
_LONGEST_HEADERS: Final = 128 * 1024
_STRING: Final = 7
# By type: how many bytes a value has. Bytes and strings say it themselves, in two bytes.
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_COUNTED: Final = frozenset({6, _STRING})


class Damaged(msgspec.DecodeError):
    """A sum is wrong, or a length is: nothing behind it can be believed."""


class Frame(msgspec.Struct):
    """`headers` are those that hold text; the others say nothing that is read here."""

    headers: dict[str, str]
    payload: bytes


class Frames:
    """Feeds on chunks, gives every frame that is whole."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def is_empty(self) -> bool:
        return not self._rest

    def feed(self, chunk: bytes) -> list[Frame]:
        """Raises Damaged or EventTooLarge; what was whole before it is given first, and the next call raises."""
        data = self._rest
        data += chunk
        found: list[Frame] = []
        start = 0
        try:
            while len(data) - start >= _PRELUDE.size:
                length, headers_length = _lengths(data, start)
                if len(data) - start < length:
                    break
                found.append(_frame(bytes(data[start : start + length]), headers_length))
                start += length
        except (Damaged, EventTooLarge):
            if not found:
                raise
        del data[:start]
        return found


def _lengths(data: bytearray, start: int) -> tuple[int, int]:
    """Believed only with their sum: a wrong length would have us wait for ever."""
    length, headers_length, told = _PRELUDE.unpack_from(data, start)
    if zlib.crc32(data[start : start + 8]) != told:
        raise Damaged("the sum of a frame's lengths is wrong")
    if length > _LARGEST + _LONGEST_HEADERS + _AROUND:
        raise EventTooLarge
    if headers_length > _LONGEST_HEADERS or length < headers_length + _AROUND:
        raise Damaged("a frame is shorter than its headers")
    return length, headers_length


def _frame(data: bytes, headers_length: int) -> Frame:
    body, told = data[: -_SUM.size], _SUM.unpack_from(data, len(data) - _SUM.size)[0]
    if zlib.crc32(body) != told:
        raise Damaged("the sum of a frame is wrong")
    end = _PRELUDE.size + headers_length
    return Frame(_headers(body[_PRELUDE.size : end]), body[end:])


def _headers(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(block):
            name_ends = place + 1 + block[place]
            name, kind = block[place + 1 : name_ends].decode(), block[name_ends]
            begins, size = name_ends + 1, _SIZES.get(kind, 0)
            if kind in _COUNTED:
                size, begins = int.from_bytes(block[begins : begins + 2]), begins + 2
            elif kind not in _SIZES:
                raise Damaged(f"a header has the unknown type {kind}")
            place = begins + size
            if place > len(block):
                raise Damaged("a header is longer than all headers")
            if kind == _STRING:
                found[name] = block[begins:place].decode()
    except (IndexError, UnicodeDecodeError) as error:
        raise Damaged("the headers of a frame cannot be read") from error
    return found
