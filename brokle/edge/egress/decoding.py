"""Unpacking bodies with a cap: 1 MB of zeros packed a thousand times is still only what the cap allows."""

import zlib
from typing import Protocol

from brokle.edge.egress.errors import AnswerTooLarge, UpstreamBroken

_PIECE = 64 * 1024


class Decoder(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Plain:
    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    """gzip and deflate; the latter exists with and without the zlib wrapper, told apart by its first byte."""

    __slots__ = ("_cap", "_gzip", "_inflate", "_written")

    def __init__(self, *, gzip: bool, cap: int) -> None:
        self._gzip = gzip
        self._cap = cap
        self._written = 0
        self._inflate = zlib.decompressobj(wbits=31) if gzip else None

    def feed(self, data: bytes) -> bytes:
        pieces = []
        try:
            while data:
                inflate = self._inflate or self._open(data)
                piece = inflate.decompress(data, _PIECE)
                self._count(len(piece))
                pieces.append(piece)
                data = inflate.unconsumed_tail or self._next_member(inflate)
        except zlib.error:
            raise UpstreamBroken("the answer is not packed as its content-encoding says") from None
        return b"".join(pieces)

    def finish(self) -> bytes:
        if self._inflate is not None and not self._inflate.eof:
            raise UpstreamBroken("the packed answer ends too early")
        return b""

    def _open(self, data: bytes) -> "zlib._Decompress":
        unpacked_by = 15 if data[0] & 0x0F == zlib.DEFLATED else -15
        self._inflate = zlib.decompressobj(wbits=31 if self._gzip else unpacked_by)
        return self._inflate

    def _next_member(self, inflate: "zlib._Decompress") -> bytes:
        if not inflate.eof:
            return b""
        if self._gzip and inflate.unused_data.startswith(b"\x1f\x8b"):
            self._inflate = None
            return inflate.unused_data
        return b""

    def _count(self, size: int) -> None:
        self._written += size
        if self._written > self._cap:
            raise AnswerTooLarge(f"the unpacked answer is larger than {self._cap} bytes")


def decoder_for(content_encoding: str, cap: int) -> Decoder:
    encoding = content_encoding.strip().lower()
    if encoding in {"", "identity"}:
        return _Plain()
    if encoding in {"gzip", "x-gzip"}:
        return _Zlib(gzip=True, cap=cap)
    if encoding == "deflate":
        return _Zlib(gzip=False, cap=cap)
    raise UpstreamBroken(f"the answer has a content-encoding nobody asked for: {encoding[:40]}")
