"""Heads of answers as they go over the wire."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from brokle.edge.http import Header

LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_BODILESS: Final = frozenset({204, 304})
_OURS: Final = frozenset({b"connection", b"transfer-encoding", b"keep-alive", b"upgrade", b"date"})
"""What concerns the connection alone is the listener's to say."""


class Unsound(ValueError):
    """A header's value would bring lines of its own."""


class Clock:
    """The `date` line, written once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._line = f"date: {formatdate(now, usegmt=True)}\r\n".encode()
        return self._line


class Head:
    """`left` is how much of the body is still to come, -1 where nobody declared it."""

    __slots__ = ("content", "is_chunked", "keeps_alive", "left", "takes_body")

    def __init__(
        self,
        status: int,
        headers: Iterable[Header],
        date: bytes,
        *,
        is_modern: bool = True,
        takes_body: bool = True,
        keeps_alive: bool = True,
    ) -> None:
        parts = [LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, date]
        self.left = -1
        for sent, value in headers:
            name = sent.lower()
            if name in _OURS:
                keeps_alive = keeps_alive and not (name == b"connection" and value.lower() == b"close")
                continue
            if name == b"content-length":
                self.left = int(value)
            parts.append(b"%b: %b\r\n" % (name, value))
        self.takes_body = takes_body and status not in _BODILESS
        self.is_chunked = self.takes_body and self.left < 0 and is_modern
        if self.is_chunked:
            parts.append(b"transfer-encoding: chunked\r\n")
        # With neither length nor chunks, the end of the connection is the end of the body.
        self.keeps_alive = keeps_alive and (self.left >= 0 or self.is_chunked or not self.takes_body)
        if not self.keeps_alive:
            parts.append(b"connection: close\r\n")
        elif not is_modern:
            parts.append(b"connection: keep-alive\r\n")
        self.content = b"%b\r\n" % b"".join(parts)
        if not self.content.count(b"\n") == self.content.count(b"\r") == len(parts) + 1:
            raise Unsound

    def framed(self, body: bytes, *, is_last: bool) -> bytes:
        """A piece of the body as it goes over the wire; no chunk is empty but the last."""
        if not self.is_chunked:
            return body if self.takes_body else b""
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk + _LAST_CHUNK if is_last else chunk
