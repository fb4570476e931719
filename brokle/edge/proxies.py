"""X-Forwarded-*: believed from the proxies an operator named, and from nobody else.

Both planes read client, scheme and host from the ASGI scope; it is put right once, before either sees it.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from brokle.edge.http import Header, Scope

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_SECURE = {"http": {b"http": "http", b"https": "https"}, "websocket": {b"http": "ws", b"https": "wss"}}
_HOST_MAX = 255
FORWARDING = frozenset({_FOR, _PROTO, _HOST, b"forwarded", b"x-real-ip"})
_TELLTALE = FORWARDING | {b"via"}
_PROXIED = "brokle.is_proxied"


class UnableToTrust(Exception):
    pass


class TrustedProxies:
    __slots__ = ("_networks",)

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        for cidr in cidrs:
            try:
                self._networks.append(ip_network(cidr, strict=False))
            except ValueError:
                raise UnableToTrust(f"BROKLE_TRUSTED_PROXIES: {cidr!r} is not an address or a CIDR") from None

    def __bool__(self) -> bool:
        return bool(self._networks)

    def correct(self, scope: Scope) -> None:
        """Rewrites the scope when its peer is a trusted proxy. Its forwarding headers are then used up."""
        client = scope.get("client")
        if client is None or not self.trusts(client[0]):
            return
        found: dict[bytes, list[bytes]] = {}
        kept: list[Header] = []
        for name, value in scope["headers"]:
            if name in FORWARDING:
                found.setdefault(name, []).append(value)
            else:
                kept.append((name, value))
        if not found:
            return
        scope[_PROXIED] = True
        if _FOR in found:
            scope["client"] = (self._origin(b",".join(found[_FOR]), client[0]), 0)
        scheme = _SECURE.get(scope["type"], {}).get(_last(found.get(_PROTO, [])).lower())
        if scheme is not None:
            scope["scheme"] = scheme
        host = _last(found.get(_HOST, []))
        if host and len(host) <= _HOST_MAX:
            kept = [*((name, value) for name, value in kept if name != b"host"), (b"host", host)]
        scope["headers"] = kept

    def trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)

    def _origin(self, chain: bytes, peer: str) -> str:
        """From the right, each hop vouches for the one before it; the first that is no proxy of ours is the caller.

        What stands left of it was written by the caller and proves nothing.
        """
        origin = peer
        for part in reversed(chain.decode("latin-1").split(",")):
            address = _address(part)
            if address is None:
                break
            origin = address
            if not self.trusts(address):
                break
        return origin


def came_through_proxy(scope: Scope) -> bool:
    """Whether anybody stands between the peer and the caller: a proxy that was named, or one that tells on itself."""
    return _PROXIED in scope or any(name in _TELLTALE for name, _ in scope["headers"])


def _address(part: str) -> str | None:
    """An address, with or without a port, as proxies write it."""
    text = part.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _last(values: list[bytes]) -> bytes:
    """What the nearest proxy wrote; anything before it may be the caller's."""
    return values[-1].rsplit(b",", 1)[-1].strip() if values else b""
