import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from brokle.edge.egress.addresses import Address
from brokle.edge.egress.errors import EgressRefused, UnableToResolve

Resolve = Callable[[str, int], Awaitable[list[Address]]]


async def system_resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnableToResolve(f"{host} cannot be resolved") from error
    return [_address(str(sockaddr[0])) for *_, sockaddr in rows]


def _address(text: str) -> Address:
    if "%" in text:
        raise EgressRefused("the host resolves to an address with a zone")
    return ip_address(text)


class CachedResolver:
    """Keeps answers for a few seconds: `getaddrinfo` does not tell a TTL, so no answer outlives a short one.

    What is cached is still checked at every connect; the cache cannot make a refused address acceptable.
    """

    __slots__ = ("_answers", "_lookups", "_resolve", "_size", "_ttl_s")

    def __init__(self, resolve: Resolve = system_resolve, *, ttl_s: float = 5.0, size: int = 1024) -> None:
        self._resolve = resolve
        self._ttl_s = ttl_s
        self._size = size
        self._answers: OrderedDict[str, tuple[float, list[Address]]] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[list[Address]]] = {}

    async def __call__(self, host: str, port: int) -> list[Address]:
        now = asyncio.get_running_loop().time()
        known = self._answers.get(host)
        if known is not None and known[0] > now:
            return known[1]
        lookup = self._lookups.get(host)
        if lookup is None:
            lookup = asyncio.ensure_future(self._look_up(host, port))
            self._lookups[host] = lookup
            lookup.add_done_callback(lambda done: self._finished(host, done))
        # One caller's deadline must not end the lookup for the others.
        return await asyncio.shield(lookup)

    async def _look_up(self, host: str, port: int) -> list[Address]:
        addresses = list(dict.fromkeys(await self._resolve(host, port)))
        if not addresses:
            raise UnableToResolve(f"{host} has no address")
        return addresses

    def _finished(self, host: str, lookup: asyncio.Task[list[Address]]) -> None:
        self._lookups.pop(host, None)
        if lookup.cancelled() or lookup.exception() is not None:
            return
        now = asyncio.get_running_loop().time()
        self._answers[host] = (now + self._ttl_s, lookup.result())
        self._answers.move_to_end(host)
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)
