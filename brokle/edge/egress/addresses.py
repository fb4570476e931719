"""Which IP addresses are the public internet.

`ipaddress.is_global` alone is not an answer: on Python 3.11.7 it is true for NAT64 and 6to4 forms of loopback
and metadata addresses, for multicast and for `::127.0.0.1`.
"""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


# Cloud metadata services; some of them stand at addresses that are formally public or ordinary private ones.
METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
    )
)

# What --dev or an allowed host name may open: networks people really run services on.
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
    )
)

# IANA special-purpose registries, spelled out because `is_global` differs between Python patch releases.
_FORBIDDEN = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP_MARKS = (0x00005EFE, 0x02005EFE)
_LOW_32 = 0xFFFFFFFF


def embedded(address: Address) -> tuple[Address, ...]:
    """The addresses that a packet to this one may end up at: itself, or the IPv4 addresses it wraps."""
    if isinstance(address, IPv4Address):
        return (address,)
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped is not None:
        return (wrapped,)
    return address.teredo or _translated(address)


def _translated(address: IPv6Address) -> tuple[Address, ...]:
    value = int(address)
    low = IPv4Address(value & _LOW_32)
    if address in _NAT64:
        return (low,)
    if address in _NAT64_LOCAL:
        return (address, low, IPv4Address((value >> 48 & 0xFFFF0000) | (value >> 40 & 0xFFFF)))
    if address in _COMPATIBLE and value > 1:
        return (low,)
    if value >> 32 & _LOW_32 in _ISATAP_MARKS:
        return (address, low)
    return (address,)


def reach(address: Address) -> Reach:
    """The worst of all addresses that this one stands for."""
    found = {_reach_of(inner) for inner in embedded(address)}
    if Reach.FORBIDDEN in found or is_metadata(address):
        return Reach.FORBIDDEN
    return Reach.PRIVATE if Reach.PRIVATE in found else Reach.PUBLIC


def is_metadata(address: Address) -> bool:
    return address in METADATA or any(inner in METADATA for inner in embedded(address))


def _reach_of(address: Address) -> Reach:
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if any(address in network for network in _FORBIDDEN):
        return Reach.FORBIDDEN
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Reach.FORBIDDEN
    if address.is_multicast or not address.is_global:
        return Reach.FORBIDDEN
    return Reach.PUBLIC
