"""A line between two who talk, that does to their bytes what bad networks do. Its knobs turn while it runs."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

_RESET = struct.pack("ii", 1, 0)


class Toxic:
    def __init__(self, host: str, port: int, unix: str) -> None:
        self._target = (host, port, unix)
        self._lines: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.latency_s = 0.0
        """Before each answer is passed on."""
        self.is_black_hole = False
        """Whatever is sent is taken, and nothing comes back."""
        self.is_down = False
        """Who connects is cut off."""
        self.slice_bytes = 0
        """The size of the pieces an answer comes in, each in a write of its own; 0 leaves them as they are."""
        self.cut_after: int | None = None
        """So many bytes of an answer pass, then the line is reset."""
        self.connects = 0

    @property
    def open_lines(self) -> int:
        return len(self._lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        if self.is_down:
            _reset(writer)
            return
        self._lines.add(writer)
        pipes: list[asyncio.Task[None]] = []
        far_writer = None
        try:
            far_reader, far_writer = await self._dial()
            pipes = [
                asyncio.create_task(self._there(reader, far_writer)),
                asyncio.create_task(self._back(far_reader, writer)),
            ]
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            for end in (writer, far_writer):
                if end is not None:
                    end.close()
            self._lines.discard(writer)

    def cut_all(self) -> None:
        for writer in list(self._lines):
            _reset(writer)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port, unix = self._target
        return await (asyncio.open_unix_connection(unix) if unix else asyncio.open_connection(host, port))

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.is_black_hole:
                continue
            writer.write(data)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.cut_after
        while data := await reader.read(65536):
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if left is not None and len(data) >= left:
                await self._pass_on(data[:left], writer)
                _reset(writer)
                return
            left = None if left is None else left - len(data)
            await self._pass_on(data, writer)

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        size = self.slice_bytes or len(data) or 1
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if self.slice_bytes:
                await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    with suppress(OSError, AttributeError):
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def toxic(port: int = 0, *, unix: str = "") -> AsyncIterator[Toxic]:
    """In this loop, to a port of loopback or a unix socket."""
    found = Toxic("127.0.0.1", port, unix)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await found.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    found.port = server.sockets[0].getsockname()[1]
    for listening in server.sockets:
        with suppress(OSError):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextmanager
def toxic_beside(port: int = 0, *, unix: str = "") -> Iterator[Toxic]:
    """In a thread of its own, for what lives longer than the loop of one test."""
    ready, found, stop = threading.Event(), [], []

    async def run() -> None:
        async with toxic(port, unix=unix) as proxy:
            ended = asyncio.Event()
            found.append(proxy)
            stop.extend((asyncio.get_running_loop(), ended))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop, ended = stop
        loop.call_soon_threadsafe(ended.set)
        thread.join()
