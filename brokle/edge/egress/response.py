import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from brokle.edge.egress.decoding import decoder_for
from brokle.edge.egress.errors import AnswerTooLarge, ClosedBeforeAnswer
from brokle.edge.egress.limits import Limits

# Above this many bytes that nobody has taken yet, the upstream is told to wait.
HIGH_WATER = 256 * 1024

RawHeaders = list[tuple[bytes, bytes]]


def joined_header(headers: RawHeaders, name: str, default: str = "") -> str:
    wanted = name.lower().encode("latin-1")
    values = [value for key, value in headers if key.lower() == wanted]
    return b", ".join(values).decode("latin-1") if values else default


class Line(Protocol):
    """What an answer needs of the connection it arrives on."""

    host: str

    def hold(self) -> None: ...
    def resume(self) -> None: ...
    def expect(self, at: float) -> None: ...
    def abandon(self, response: "Response", error: Exception | None = None) -> None: ...


class Response:
    """One answer. Its bytes are taken by iterating, as they arrive, or all at once by `read()`."""

    __slots__ = (
        "_buffered",
        "_chunks",
        "_held",
        "_line",
        "_loop",
        "_waiter",
        "bodiless",
        "complete",
        "error",
        "headers",
        "limits",
        "received",
        "sender",
        "status",
        "total_at",
        "trailers",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, line: Line, limits: Limits, total_at: float, *, bodiless: bool
    ) -> None:
        self._loop = loop
        self._line = line
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._held = False
        self._waiter: asyncio.Future[None] | None = None
        self.bodiless = bodiless
        self.complete = False
        self.error: Exception | None = None
        self.headers: RawHeaders = []
        self.limits = limits
        self.received = 0
        self.sender: asyncio.Task[None] | None = None
        self.status = 0
        self.total_at = total_at
        self.trailers: RawHeaders = []

    def header(self, name: str, default: str = "") -> str:
        """The value of a header, whatever its case; several of one name are joined by commas."""
        return joined_header(self.headers, name, default)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.next_chunk()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def next_chunk(self) -> bytes:
        """What has arrived since the last call, waiting if nothing has; empty at the end of the body."""
        while not self._chunks:
            if self.error is not None:
                raise self.error
            if self.complete:
                return b""
            self._line.expect(self._loop.time() + self.limits.idle_s)
            await self.arrival()
            if not self.complete:
                self._line.expect(self.total_at)
        return self._take()

    async def read(self, *, decode: bool = False) -> bytes:
        """The whole body, at most `limits.body_bytes`; with `decode` also unpacked, to the same cap."""
        body = await self._read_raw()
        if not decode:
            return body
        decoder = decoder_for(self.header("content-encoding"), self.limits.body_bytes)
        return decoder.feed(body) + decoder.finish()

    async def decoded(self) -> AsyncIterator[bytes]:
        """The body unpacked piece by piece; the cap holds for all pieces together."""
        decoder = decoder_for(self.header("content-encoding"), self.limits.body_bytes)
        async for chunk in self:
            if piece := decoder.feed(chunk):
                yield piece
        if piece := decoder.finish():
            yield piece

    async def _read_raw(self) -> bytes:
        if self.complete and self.error is None:
            body = self._take()
            self._check_size(len(body))
            return body
        taken = []
        size = 0
        while chunk := await self.next_chunk():
            size += len(chunk)
            self._check_size(size)
            taken.append(chunk)
        return b"".join(taken)

    def _check_size(self, size: int) -> None:
        if size > self.limits.body_bytes:
            self.close()
            raise AnswerTooLarge(f"the answer of {self._line.host} is larger than {self.limits.body_bytes} bytes")

    def close(self) -> None:
        """Give up what has not arrived yet: the connection of an unfinished answer is closed at once."""
        if not self.complete:
            self._line.abandon(self)

    async def arrival(self) -> None:
        """Wait for the next thing to happen to this answer; being cancelled here closes the connection."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    # The connection's side.

    def begin(self, status: int, headers: RawHeaders) -> None:
        self.status = status
        self.headers = headers
        self.wake()

    def receive(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.received += len(chunk)
        self._buffered += len(chunk)
        if self._waiter is not None:
            self.wake()
        if self._buffered > HIGH_WATER and not self._held:
            self._held = True
            self._line.hold()

    def finish(self) -> None:
        self.complete = True
        if self._held:
            # The connection goes to the next request now; it must not wait for this answer's reader.
            self._held = False
            self._line.resume()
        self.wake()

    def fail(self, error: Exception) -> None:
        if not self.complete:
            self.error = error
            self.complete = True
            self.wake()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    @property
    def is_unanswered(self) -> bool:
        return isinstance(self.error, ClosedBeforeAnswer)

    def _take(self) -> bytes:
        chunks = self._chunks
        taken = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        if self._held:
            self._held = False
            self._line.resume()
        return taken
