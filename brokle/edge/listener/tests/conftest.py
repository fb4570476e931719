import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop

from brokle.edge.listener.listener import Listener

HEAD = b"host: x\r\n"


def pytest_asyncio_loop_factories(config, item):
    """uvloop serves; where there is none, asyncio's own does."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Caller:
    """Speaks bytes, and reads answers one by one."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def say(self, *parts):
        for part in parts:
            self.writer.write(part)

    def ask(self, line, *headers, body=b""):
        length = b"content-length: %d\r\n" % len(body) if body else b""
        self.say(line + b" HTTP/1.1\r\n" + HEAD + length + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body)

    async def head(self):
        text = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = text.decode().split("\r\n")[:-2]
        return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def answer(self):
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, await self.chunks()
        if "content-length" in headers:
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))
        return status, headers, b""

    async def chunks(self):
        whole = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            whole += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
            if size == 0:
                return whole

    async def rest(self):
        try:
            return await self.reader.read()
        except ConnectionError:
            return None


class Stage:
    """A listener with an application, and who calls it."""

    def __init__(self, listener, port):
        self.listener = listener
        self.port = port
        self.callers = []

    async def caller(self):
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**20))
        self.callers.append(caller)
        return caller

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0)


@asynccontextmanager
async def staged(application, **settings):
    listener = Listener(application, **settings)
    server = await asyncio.get_running_loop().create_server(listener.connection, "127.0.0.1", 0)
    stage = Stage(listener, server.sockets[0].getsockname()[1])
    try:
        yield stage
    finally:
        for caller in stage.callers:
            caller.writer.close()
        server.close()
        async with asyncio.timeout(10):
            await listener.drain()


@pytest.fixture
def stage():
    return staged
