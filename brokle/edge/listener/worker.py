"""One process of the listener: loads the application, takes connections from the shared socket, ends when told to."""

import argparse
import asyncio
import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any, Final

import setproctitle
import uvloop

from brokle.edge.http import Message
from brokle.edge.listener.listener import Listener
from brokle.edge.listener.parent import BACKLOG

_PR_SET_PDEATHSIG: Final = 1


class UnableToStart(Exception):
    """The application says why in its log."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a parent hands its worker: two open files and its own process."""

    listening: int
    ready: int
    parent: int


class Lifespan:
    def __init__(self, application: Any) -> None:
        self._application = application
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._from_application: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        answer = await self._ask("startup")
        if answer["type"] == "lifespan.startup.failed":
            raise UnableToStart(answer.get("message", ""))

    async def stop(self) -> None:
        await self._ask("shutdown")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        await self._application(scope, self._to_application.get, self._from_application.put)

    async def _ask(self, what: str) -> Message:
        assert self._task is not None  # noqa: S101 - start comes first
        self._to_application.put_nowait({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return {"type": f"lifespan.{what}.complete"}  # the application knows no lifespan


async def work(application: Any, place: Place) -> None:
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    lifespan = Lifespan(application)
    await lifespan.start()
    listener = Listener(application)
    listening = socket.socket(fileno=place.listening)
    server = await loop.create_server(listener.connection, sock=listening, backlog=BACKLOG)
    os.write(place.ready, b"1")
    os.close(place.ready)
    await told_to_stop.wait()
    server.close()
    await listener.drain()
    await lifespan.stop()


def load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _follow(parent: int) -> None:
    """On Linux the kernel tells us when our parent is gone; nobody would restart or stop us any more."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(0)


def _raise_file_limit() -> None:
    """A caller is an open file, and so is each call of a provider."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--application", required=True)
    parser.add_argument("--listening", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    _follow(arguments.parent)
    _raise_file_limit()
    setproctitle.setproctitle("brokle web worker")
    try:
        uvloop.run(work(load(arguments.application), Place(arguments.listening, arguments.ready, arguments.parent)))
    except UnableToStart:
        sys.exit(1)


if __name__ == "__main__":
    main()
