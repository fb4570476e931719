"""Who may see how this installation is doing inside: `/metrics`, and all of `/health` beyond its one word."""

import hmac
from ipaddress import ip_address

from brokle.edge.http import Request
from brokle.edge.proxies import came_through_proxy


class Insiders:
    """Whoever holds the metrics token, and this machine speaking for itself."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @property
    def is_token_set(self) -> bool:
        return bool(self._token)

    def include(self, request: Request) -> bool:
        return self._holds_token(request) or is_local(request)

    def _holds_token(self, request: Request) -> bool:
        given = request.headers.get(b"authorization", b"")
        if not self._token or given[:7].lower() != b"bearer ":
            return False
        return hmac.compare_digest(given[7:].strip(), self._token)


def is_local(request: Request) -> bool:
    """A loopback peer that speaks for itself: behind a proxy on this machine everybody's peer is loopback."""
    client = request.scope.get("client")
    if client is None or came_through_proxy(request.scope):
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    # A listener on both families names its IPv4 peers this way.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
