"""Who may be called. The decision falls on resolved addresses, and connections go to exactly those."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from brokle.edge.egress.addresses import Address, Network, Reach, embedded, is_metadata, reach
from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.resolver import CachedResolver, Resolve
from brokle.edge.egress.urls import Origin, canonical_host
from brokle.settings.env import Environment


@dataclass(frozen=True, slots=True)
class FixedHost:
    """A host that our own code calls by configuration of the operator, never by a URL that a user gave."""

    host: str
    port: int
    why: str


class Policy:
    """What may be reached from here.

    `allow` holds CIDRs, addresses and host names (with or without a port) that may be reached although
    private, also over plain http. Metadata services stay closed unless exactly their address is listed.
    """

    __slots__ = ("_allow_http", "_allow_private", "_fixed", "_hosts", "_networks", "_resolve")

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        allow_private: bool = False,
        allow_http: bool = False,
        fixed: Iterable[FixedHost] = (),
        resolve: Resolve | None = None,
    ) -> None:
        self._networks: list[tuple[Network, int | None]] = []
        self._hosts: set[tuple[str, int | None]] = set()
        self._allow_private = allow_private
        self._allow_http = allow_http
        self._fixed = frozenset((fixed_host.host, fixed_host.port) for fixed_host in fixed)
        self._resolve = resolve or CachedResolver()
        for entry in allow:
            self._add(entry)

    @classmethod
    def from_environment(cls, environment: Environment, *, fixed: Iterable[FixedHost] = ()) -> "Policy":
        """The operator's policy: BROKLE_EGRESS_ALLOW, and private networks open in development mode."""
        return cls(
            environment.items("BROKLE_EGRESS_ALLOW"),
            allow_private=environment.flag("BROKLE_DEV"),
            fixed=fixed,
        )

    async def addresses(self, origin: Origin) -> list[Address]:
        """Every address of the origin, each one checked; a single bad one refuses them all."""
        addresses = await self._addresses_of(origin)
        for address in addresses:
            self._check(origin, address)
        return addresses

    async def _addresses_of(self, origin: Origin) -> list[Address]:
        try:
            return [ip_address(origin.host)]
        except ValueError:
            return await self._resolve(origin.host, origin.port)

    def _check(self, origin: Origin, address: Address) -> None:
        if (origin.host, origin.port) in self._fixed or self._is_listed(address, origin.port):
            return
        named = self._is_named(origin)
        found = reach(address)
        if found is Reach.FORBIDDEN or is_metadata(address):
            raise EgressRefused(f"{origin.host} is at an address that may never be called")
        if found is Reach.PRIVATE and not (named or self._allow_private):
            raise EgressRefused(
                f"{origin.host} is at a private address; an operator can list it in BROKLE_EGRESS_ALLOW"
            )
        if origin.scheme == "http" and found is Reach.PUBLIC and not (named or self._allow_http):
            raise EgressRefused(f"{origin.host} must be called with https")

    def _is_named(self, origin: Origin) -> bool:
        return (origin.host, None) in self._hosts or (origin.host, origin.port) in self._hosts

    def _is_listed(self, address: Address, port: int) -> bool:
        return any(self._is_in(address, network) and only in (None, port) for network, only in self._networks)

    @staticmethod
    def _is_in(address: Address, network: Network) -> bool:
        if network.prefixlen < network.max_prefixlen and is_metadata(address):
            return False
        return address in network or all(inner in network for inner in embedded(address))

    def _add(self, entry: str) -> None:
        text = entry.strip().lower()
        try:
            self._networks.append((ip_network(text, strict=False), None))
        except ValueError:
            self._add_host(entry, text)

    def _add_host(self, entry: str, text: str) -> None:
        host, colon, port_text = text.rpartition(":")
        if not colon:
            host, port_text = text, ""
        if not host or (port_text and not port_text.isdecimal()):
            raise EgressRefused(f"{entry!r} is not a CIDR, an address or a host name", field="BROKLE_EGRESS_ALLOW")
        port = int(port_text) if port_text else None
        name = canonical_host(host.strip("[]"))
        try:
            self._networks.append((ip_network(name), port))
        except ValueError:
            self._hosts.add((name, port))
