"""The spool's record on disk: magic, length, CRC, then kind and payload. Damage costs the damaged record only."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<2sII")
_MAGIC = b"\xb1\x0c"
HEADER_SIZE = _HEADER.size
MAX_RECORD = 64 * 1024 * 1024

_crc32 = zlib.crc32
_pack = _HEADER.pack


def kind_prefix(kind: str) -> bytes:
    """What stands before every payload of a kind; made once per kind."""
    name = kind.encode()
    return bytes([len(name)]) + name


def frame(prefix: bytes, payload: bytes) -> bytes:
    body = prefix + payload
    return _pack(_MAGIC, len(body), _crc32(body)) + body


@dataclass(frozen=True, slots=True)
class Record:
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    offset: int
    content: bytes


def read(data: bytes) -> Iterator[Record | Damage]:
    """Every whole record; what lies between them and does not check out is handed over as damage.

    A segment whose process died still has its reserved room behind the last record: zeros, which are nothing.
    """
    position, bad_from, end = 0, None, len(data)
    content_end = len(data.rstrip(b"\0"))
    while position < content_end:
        body = _body_at(data, position, end)
        if body is None:
            bad_from = position if bad_from is None else bad_from
            following = data.find(_MAGIC, position + 1)
            position = following if following >= 0 else end
            continue
        if bad_from is not None:
            yield Damage(bad_from, data[bad_from:position])
            bad_from = None
        size = body[0]
        yield Record(body[1 : 1 + size].decode(errors="replace"), body[1 + size :])
        position += HEADER_SIZE + len(body)
    if bad_from is not None:
        yield Damage(bad_from, data[bad_from:content_end])


def _body_at(data: bytes, position: int, end: int) -> bytes | None:
    start = position + HEADER_SIZE
    if start > end:
        return None
    magic, size, crc = _HEADER.unpack_from(data, position)
    if magic != _MAGIC or not 0 < size <= MAX_RECORD or start + size > end:
        return None
    body = data[start : start + size]
    return body if _crc32(body) == crc else None
