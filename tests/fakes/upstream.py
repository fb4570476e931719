"""A real HTTP server on loopback whose every byte a test decides."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Upstream:
    scheme: str
    port: int
    requests: list[Received] = field(default_factory=list)
    connects: int = 0
    open_connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    async def until_open_connections(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.open_connections == count)


@dataclass(slots=True)
class Talk:
    """One request and the line to answer it on."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        transport = self.writer.transport
        transport.get_extra_info("socket").setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER 0
        transport.abort()

    async def until_closed(self) -> None:
        while await self.reader.read(65536):
            pass


Script = Callable[[Talk], Awaitable[None]]


def answering(payload: bytes, *, close: bool = False) -> Script:
    async def script(talk: Talk) -> None:
        await talk.send(payload)
        if close:
            talk.writer.close()

    return script


@asynccontextmanager
async def upstream(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Serves every request of every connection with the script, until the script closes the line."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        here.connects += 1
        await _change(here, 1)
        try:
            while (request := await _read_request(reader)) is not None and not writer.is_closing():
                here.requests.append(request)
                await script(Talk(request, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            await _change(here, -1)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=2048)
    here = Upstream("https" if tls else "http", server.sockets[0].getsockname()[1])
    try:
        yield here
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _change(here: Upstream, by: int) -> None:
    async with here.changed:
        here.open_connections += by
        here.changed.notify_all()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *rows = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    return Received(method, target, headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


class Beside:
    """An upstream in a thread of its own, whose script may be changed while it runs."""

    def __init__(self) -> None:
        self.script: Script = answering(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.here: Upstream | None = None

    @property
    def port(self) -> int:
        assert self.here is not None
        return self.here.port

    @property
    def open_connections(self) -> int:
        assert self.here is not None
        return self.here.open_connections

    async def serve(self, talk: Talk) -> None:
        await self.script(talk)


@contextmanager
def upstream_beside() -> Iterator[Beside]:
    """For houses that outlive the loop of one test."""
    beside, ready, stop = Beside(), threading.Event(), []

    async def run() -> None:
        async with upstream(beside.serve) as found:
            ended = asyncio.Event()
            beside.here = found
            stop.extend((asyncio.get_running_loop(), ended))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield beside
    finally:
        loop, ended = stop
        loop.call_soon_threadsafe(ended.set)
        thread.join()
