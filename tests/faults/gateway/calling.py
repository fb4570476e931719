"""Callers by the hundred: HTTP/1.1 written by hand, so that what is slow or leaves early is the test's own doing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from tests.house import BOOTSTRAP_KEY

HI = [{"role": "user", "content": "hi"}]


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)


def chat(model: str, *, stream: bool = False, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": HI, "stream": stream, **more}).encode()


def written(
    body: bytes, *, path: str = "/v1/chat/completions", key: str = BOOTSTRAP_KEY, headers: dict[str, str] | None = None
) -> bytes:
    told = {"host": "x", "authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    head = f"POST {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


class Line:
    """One call on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}

    @classmethod
    async def begin(cls, port: int, request: bytes) -> "Line":
        """Returns when the head of the answer is there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = cls(reader, writer)
        writer.write(request)
        first, *rows = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        line.status = int(first.split(" ")[1])
        line.headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        return line

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises IncompleteReadError where the answer ends before it is whole."""
        if self.headers.get("transfer-encoding") != "chunked":
            yield await self._reader.readexactly(int(self.headers.get("content-length", "0")))
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)

    async def rest(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    def leave(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def ask(port: int, request: bytes) -> Said:
    began = time.perf_counter()
    line = await Line.begin(port, request)
    try:
        body = await line.rest()
    finally:
        await line.close()
    return Said(line.status, line.headers, body, time.perf_counter() - began)


def p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
