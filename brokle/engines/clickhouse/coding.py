"""Content codings of HTTP bodies: gzip, deflate, lz4 frames and zstd, piece by piece in both directions."""

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import lz4.frame

from brokle.engines.clickhouse.errors import INCORRECT_DATA, NOT_IMPLEMENTED, refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The order of preference when a client accepts several; lz4 costs the least on a loopback connection.
_PREFERRED = ("lz4", "zstd", "gzip", "deflate")


class Compressor(Protocol):
    def compress(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


class _Lz4Compressor:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(head + self._frame.compress(data))

    def flush(self) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        return bytes(head + self._frame.flush())


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "": _Plain,
    "lz4": _Lz4Compressor,
    "zstd": lambda: zstd.ZstdCompressor(level=1),
    "gzip": lambda: zlib.compressobj(level=1, wbits=31),
    "deflate": lambda: zlib.compressobj(level=1),
}


class Decompressor(Protocol):
    """As the standard library's: `needs_input` is false while more comes out of what was put in already."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflate:
    def __init__(self, wbits: int = zlib.MAX_WBITS) -> None:
        self._stream = zlib.decompressobj(wbits=wbits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        piece = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self.needs_input = len(piece) < max_length
        return piece


_DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: _Inflate(wbits=31),
    "x-gzip": lambda: _Inflate(wbits=31),
    "deflate": _Inflate,
}
_PIECE_BYTES = 1024 * 1024
_BROKEN = (zlib.error, RuntimeError, zstd.ZstdError, EOFError)


def choose(accept_encoding: str) -> str:
    """The coding of the answer; empty means none."""
    accepted = {
        part.split(";")[0].strip().lower() for part in accept_encoding.split(",") if "q=0" not in part.replace(" ", "")
    }
    return next((name for name in _PREFERRED if name in accepted), "")


def compressor(name: str) -> Compressor:
    return _COMPRESSORS[name]()


def decode(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Undoes a request's Content-Encoding. A body may be several members or frames in a row, as clients send them."""
    if name in ("", "identity"):
        yield from pieces
        return
    make = _DECOMPRESSORS.get(name)
    if make is None:
        raise refusal(
            NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Unknown Content-Encoding '{name}'; use lz4, zstd, gzip or deflate."
        )
    decompressor = make()
    fed = False
    try:
        for piece in pieces:
            data = piece
            while data:
                if decompressor.eof:
                    decompressor = make()
                fed = True
                yield from _unpacked(decompressor, data)
                data = decompressor.unused_data if decompressor.eof else b""
    except _BROKEN as error:
        raise refusal(INCORRECT_DATA, "INCORRECT_DATA", f"The {name} body cannot be decompressed: {error}.") from None
    if fed and not decompressor.eof:
        raise refusal(INCORRECT_DATA, "INCORRECT_DATA", f"The {name} body ends in the middle.")


def _unpacked(decompressor: Decompressor, data: bytes) -> Iterator[bytes]:
    """Never much at once: a few bytes may unpack to gigabytes."""
    yield decompressor.decompress(data, _PIECE_BYTES)
    while not decompressor.eof and not decompressor.needs_input:
        yield decompressor.decompress(b"", _PIECE_BYTES)
