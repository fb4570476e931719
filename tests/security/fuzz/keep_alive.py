"""Many POSTs over few connections, each read to its end as HTTP says where that is."""

import asyncio
import time
from dataclasses import dataclass

from tests.security.fuzz.bodies import Sent
from tests.security.fuzz.wire import Answer

_CHUNK = 700


@dataclass(frozen=True)
class Heard:
    sent: Sent
    answer: Answer
    took_s: float


class Line:
    """One connection, opened anew where the other side has closed it."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._headers = headers
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, sent: Sent) -> Heard:
        """Once more where a connection that was kept had been closed meanwhile, as HTTP's clients do."""
        is_kept = self._reader is not None
        heard = await self._try(sent)
        return heard if heard.answer.status or not is_kept else await self._try(sent)

    async def _try(self, sent: Sent) -> Heard:
        reader, writer = await self._open()
        began = time.perf_counter()
        try:
            writer.write(self._written(sent))
            await writer.drain()
        except ConnectionError:
            pass  # refused while it was still being sent; what was said by then counts
        try:
            answer = await _read(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            answer = Answer(0, {}, b"")
        took_s = time.perf_counter() - began
        if not answer.status or answer.headers.get("connection", "") == "close":
            self.close()
        return Heard(sent, answer, took_s)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self._reader, self._writer

    def _written(self, sent: Sent) -> bytes:
        said = {"host": f"127.0.0.1:{self._port}", **self._headers, **dict(sent.headers)}
        said |= {"transfer-encoding": "chunked"} if sent.is_chunked else {"content-length": str(len(sent.body))}
        head = [f"POST {sent.path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + (chunked(sent.body) if sent.is_chunked else sent.body)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def chunked(body: bytes) -> bytes:
    pieces = [body[start : start + _CHUNK] for start in range(0, len(body), _CHUNK)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(head[0].split(" ")[1])
    if headers.get("transfer-encoding") != "chunked":
        return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return Answer(status, headers, body)
