"""Reading a URL the strict way: what is not plainly a name or an address is refused before it is resolved."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urlsplit

from brokle.edge.egress.errors import EgressRefused

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_LENGTH = 8192

_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\Z")
# The last label of a name decides whether a resolver reads the whole as a number: 127.1, 0x7f.1, 2130706433.
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_PATH_SAFE = "/%:@!$&'()*+,;=~?"


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Url:
    origin: Origin
    target: str

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


@lru_cache(maxsize=1024)
def parse_url(text: str) -> Url:
    if len(text) > MAX_URL_LENGTH:
        raise EgressRefused(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _UNSAFE.search(text):
        raise EgressRefused("the URL contains a space, a backslash or a control character")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise EgressRefused("the URL is not valid") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise EgressRefused("the URL must start with https://")
    if "@" in parts.netloc:
        raise EgressRefused("the URL must not contain a user name or password")
    origin = Origin(parts.scheme, canonical_host(parts.hostname or ""), _port(parts.scheme, port))
    target = quote(parts.path, safe=_PATH_SAFE) or "/"
    if parts.query:
        target = f"{target}?{quote(parts.query, safe=_PATH_SAFE)}"
    return Url(origin, target)


def _port(scheme: str, port: int | None) -> int:
    if port is None:
        return DEFAULT_PORTS[scheme]
    if port == 0:
        raise EgressRefused("port 0 cannot be called")
    return port


def canonical_host(host: str) -> str:
    """The host as it is compared, pooled and sent: lower case, ASCII, no root dot, one form per address."""
    if ":" in host:
        return _canonical_ipv6(host)
    name = _ascii(host).removesuffix(".")
    if _NUMERIC_LABEL.match(name.rpartition(".")[2]):
        return _canonical_ipv4(name)
    if not _NAME.match(name):
        raise EgressRefused("the host of the URL is not a valid name")
    return name


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        name = host.encode("idna").decode().lower()
    except UnicodeError:
        raise EgressRefused("the host of the URL is not a valid name") from None
    # Circled and full-width digits fold into an address; nobody writes one so by accident.
    if _NUMERIC_LABEL.match(name.removesuffix(".").rpartition(".")[2]):
        raise EgressRefused("the host of the URL disguises an address")
    return name


def _canonical_ipv4(name: str) -> str:
    try:
        return str(IPv4Address(name))
    except AddressValueError:
        raise EgressRefused("an address must be written as four decimal numbers") from None


def _canonical_ipv6(host: str) -> str:
    if "%" in host:
        raise EgressRefused("an address with a zone cannot be called")
    try:
        return str(IPv6Address(host))
    except AddressValueError:
        raise EgressRefused("the address in the URL is not valid") from None
