"""The one place in Brokle where an outbound connection to a URL is made."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from brokle.edge.egress.addresses import Address
from brokle.edge.egress.errors import DeadlinePassed, UnableToConnect
from brokle.edge.egress.policy import Policy
from brokle.edge.egress.urls import Origin

Connect = Callable[[Address, int], Awaitable[socket.socket]]


async def connect_socket(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


class Dialer:
    """Resolves, checks and connects: to an address the policy has just accepted, never to a name."""

    __slots__ = ("_connect", "policy")

    def __init__(self, policy: Policy, connect: Connect = connect_socket) -> None:
        self.policy = policy
        self._connect = connect

    async def dial(self, origin: Origin, *, timeout_s: float) -> socket.socket:
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                addresses = await self.policy.addresses(origin)
                return await self._first(origin, addresses, deadline)
        except TimeoutError:
            raise DeadlinePassed(origin.host, "connecting", timeout_s) from None

    async def _first(self, origin: Origin, addresses: list[Address], deadline: asyncio.Timeout) -> socket.socket:
        """One address after the other, each with its share of the time: one black hole is not the end."""
        loop = asyncio.get_running_loop()
        for position, address in enumerate(addresses):
            remaining_s = (deadline.when() or loop.time()) - loop.time()
            try:
                async with asyncio.timeout(remaining_s / (len(addresses) - position)):
                    return await self._connect(address, origin.port)
            except TimeoutError:
                if position + 1 == len(addresses):
                    raise
            except OSError:
                continue
        raise UnableToConnect(f"{origin.host} port {origin.port} does not accept connections")
