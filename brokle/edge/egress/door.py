"""The way out for synchronous code: the same client and policy, on a thread with a loop of its own."""

import asyncio
import os
import ssl
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from brokle.edge.egress.breaker import BreakerBoard
from brokle.edge.egress.client import EgressClient
from brokle.edge.egress.connect_proxy import ConnectProxy
from brokle.edge.egress.errors import DeadlinePassed
from brokle.edge.egress.limits import DEFAULT_LIMITS, Limits
from brokle.edge.egress.policy import Policy
from brokle.edge.egress.request_head import Headers
from brokle.edge.egress.response import RawHeaders, Response, joined_header
from brokle.edge.egress.urls import parse_url
from brokle.settings.env import env

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    status: int
    headers: RawHeaders
    body: bytes

    def header(self, name: str, default: str = "") -> str:
        """The value of a header, whatever its case; several of one name are joined by commas."""
        return joined_header(self.headers, name, default)


@dataclass(slots=True)
class _Room:
    """What lives on the thread."""

    loop: asyncio.AbstractEventLoop
    client: EgressClient
    stop: asyncio.Event
    proxy: ConnectProxy | None = None


class Door:
    """Starts its thread at the first call, in the process that calls: a fork begins anew."""

    def __init__(
        self,
        policy: Policy,
        *,
        limits: Limits = DEFAULT_LIMITS,
        breakers: BreakerBoard | None = None,
        tls: ssl.SSLContext | None = None,
        name: str = "egress-door",
    ) -> None:
        self._policy = policy
        self._limits = limits
        self._breakers = breakers
        self._tls = tls
        self._name = name
        self._lock = threading.Lock()
        self._room: _Room | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        limits: Limits | None = None,
        redirects: int = 0,
        decode: bool = False,
        first_bytes: int | None = None,
    ) -> Fetched:
        """One call, read to its end. Fails as the async client does, with errors that say what to do.

        With `first_bytes` only the beginning of the answer is taken, and the rest, however long, is let go.
        """
        room = self._entered()

        async def call() -> Fetched:
            exchange = room.client.request(method, url, headers=headers, body=body, limits=limits, redirects=redirects)
            async with exchange as response:
                if first_bytes is None:
                    taken = await response.read(decode=decode)
                else:
                    taken = await _beginning(response, first_bytes)
                return Fetched(response.status, response.headers, taken)

        return self._run(room, call())

    def check(self, url: str) -> None:
        """Refuses an address that could not be called, as its name resolves now. Nothing is sent."""
        room = self._entered()
        origin = parse_url(url).origin

        async def look() -> None:
            try:
                async with asyncio.timeout(self._limits.connect_s):
                    await self._policy.addresses(origin)
            except TimeoutError:
                raise DeadlinePassed(origin.host, "the name's lookup", self._limits.connect_s) from None

        self._run(room, look())

    def proxy_url(self) -> str:
        """A proxy on the same policy, for SDKs and git: the `https_proxy` of exactly that call."""
        room = self._entered()

        async def start() -> str:
            if room.proxy is None:
                proxy = ConnectProxy(self._policy)
                await proxy.start()
                room.proxy = proxy
            return room.proxy.url

        return self._run(room, start())

    def close(self) -> None:
        with self._lock:
            room, self._room = self._room, None
            thread, self._thread = self._thread, None
        if room is not None and thread is not None and self._pid == os.getpid():
            room.loop.call_soon_threadsafe(room.stop.set)
            thread.join()

    @staticmethod
    def _run(room: _Room, call: Coroutine[Any, Any, T]) -> T:
        result = asyncio.run_coroutine_threadsafe(call, room.loop)
        try:
            return result.result()
        except BaseException:
            result.cancel()
            raise

    def _entered(self) -> _Room:
        with self._lock:
            if self._room is None or self._pid != os.getpid():
                opened: Future[_Room] = Future()
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._live, args=(opened,), name=self._name, daemon=True)
                self._thread.start()
                self._room = opened.result()
            return self._room

    def _live(self, opened: "Future[_Room]") -> None:
        async def live() -> None:
            async with EgressClient(
                self._policy, limits=self._limits, breakers=self._breakers, tls=self._tls
            ) as client:
                room = _Room(asyncio.get_running_loop(), client, asyncio.Event())
                opened.set_result(room)
                await room.stop.wait()
                if room.proxy is not None:
                    await room.proxy.aclose()

        asyncio.run(live())


async def _beginning(response: Response, size: int) -> bytes:
    taken = b""
    while len(taken) < size and (chunk := await response.next_chunk()):
        taken += chunk
    return taken[:size]


@lru_cache(maxsize=1)
def operator_door() -> Door:
    """The door of this process on the operator's policy, with a circuit breaker per origin."""
    return Door(Policy.from_environment(env), breakers=BreakerBoard())
