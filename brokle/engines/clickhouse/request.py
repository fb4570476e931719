"""What a request asks for: URL parameters sorted by their meaning, and the body as an iterator of pieces."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from io import BufferedIOBase
from typing import Final
from urllib.parse import parse_qsl

from brokle.engines.clickhouse.errors import (
    BAD_REQUEST_PARAMETER,
    INCORRECT_DATA,
    NOT_IMPLEMENTED,
    QUERY_IS_TOO_LARGE,
    refusal,
)

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
MAX_SQL_BYTES: Final = 2 * 1024 * 1024
MAX_FORM_BYTES: Final = 16 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
_LINE_BYTES: Final = 1024
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")

# Parameters of the protocol itself; every other one is a setting of the query.
_PROTOCOL = frozenset(
    [
        "query",
        "user",
        "password",
        "database",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "compress",
        "decompress",
        "wait_end_of_query",
        "buffer_size",
        "stacktrace",
        "quota_key",
        "role",
        "client_protocol_version",
        "enable_http_compression",
    ]
)


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A temporary table that came with the request."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(slots=True)
class Parameters:
    protocol: dict[str, str] = field(default_factory=dict)
    query_params: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    tables: list[ExternalTable] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        if name in _PROTOCOL:
            self.protocol[name] = value
        elif name.startswith("param_"):
            self.query_params[name.removeprefix("param_")] = value
        else:
            self.settings[name] = value

    def text(self, name: str, default: str = "") -> str:
        return self.protocol.get(name, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.protocol.get(name)
        return default if value is None else value not in ("", "0", "false")

    def refuse_unsupported(self) -> None:
        for name in ("compress", "decompress"):
            if self.flag(name):
                raise refusal(
                    NOT_IMPLEMENTED,
                    "NOT_IMPLEMENTED",
                    f"'{name}=1' (block compression) is not spoken here; use Content-Encoding and Accept-Encoding.",
                )


def parameters(query_string: str) -> Parameters:
    parsed = Parameters()
    for name, value in parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape", max_num_fields=10_000):
        parsed.add(name, value)
    return parsed


class Body:
    """A request's body off the wire, read at most once, by Content-Length or in chunks."""

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self._stream = stream
        self._chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
        self._length = _content_length(headers)
        self._started = False
        self.finished = not self._chunked and self._length == 0

    def pieces(self) -> Iterator[bytes]:
        self._started = True
        total = 0
        for piece in self._chunks() if self._chunked else self._sized():
            total += len(piece)
            if total > MAX_BODY_BYTES:
                raise refusal(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The body is over {MAX_BODY_BYTES} bytes.")
            yield piece
        self.finished = True

    def drain(self, limit: int = 4 * _PIECE_BYTES) -> None:
        """Reads a small rest away, so that the connection can be used again; `finished` stays false for a large one."""
        if self.finished or self._started or self._chunked or self._length > limit:
            return
        for _ in self.pieces():
            pass

    def _sized(self) -> Iterator[bytes]:
        left = self._length
        while left:
            piece = self._stream.read1(min(left, _PIECE_BYTES))
            if not piece:
                raise _cut_short()
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = self._chunk_size()
            if size == 0:
                self._skip_trailers()
                return
            while size:
                piece = self._stream.read1(min(size, _PIECE_BYTES))
                if not piece:
                    raise _cut_short()
                size -= len(piece)
                yield piece
            if self._stream.readline(_LINE_BYTES).strip():
                raise _cut_short()

    def _chunk_size(self) -> int:
        size = self._stream.readline(_LINE_BYTES).split(b";", 1)[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise _cut_short()
        return int(size, 16)

    def _skip_trailers(self) -> None:
        while self._stream.readline(_LINE_BYTES).strip():
            pass


def _content_length(headers: Message) -> int:
    text = headers.get("Content-Length") or "0"
    if not _LENGTH.fullmatch(text):
        raise refusal(BAD_REQUEST_PARAMETER, "BAD_ARGUMENTS", "Content-Length is not a number.")
    return int(text)


def _cut_short() -> Exception:
    return refusal(INCORRECT_DATA, "INCORRECT_DATA", "The request body ended before its end.")
