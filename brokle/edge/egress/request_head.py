"""Writing the head of a request. Nothing a caller passes can end a line and start another."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.urls import Url

Pairs = Iterable[tuple[str | bytes, str | bytes]]
Headers = Mapping[str, str] | Pairs

USER_AGENT = b"brokle"
_METHOD = re.compile(r"[A-Z]{1,20}\Z")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}\Z")
_BREAKS_LINE = re.compile(rb"[\x00\r\n]")

# The client frames the message and owns the connection; a caller's word on either would be request smuggling.
_OWNED = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"upgrade",
        b"expect",
    )
)


def request_prefix(method: str, url: Url, headers: Headers) -> bytes:
    """Request line and headers, without the framing headers and the closing empty line."""
    if not _METHOD.match(method) or method == "CONNECT":
        raise EgressRefused("the request method is not acceptable")
    block = header_block(headers)
    agent = b"" if b"\r\nuser-agent:" in b"\r\n" + block.lower() else b"user-agent: %b\r\n" % USER_AGENT
    line = f"{method} {url.target} HTTP/1.1\r\nhost: {url.origin.authority}\r\n".encode()
    return line + agent + block


def header_block(headers: Headers) -> bytes:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return b"".join([_line(name, value) for name, value in pairs])


def _line(name: str | bytes, value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else _encoded(value)
    if _BREAKS_LINE.search(raw):
        raise EgressRefused("a header value contains a line break or a zero byte")
    return b"%b: %b\r\n" % (_checked_name(name), raw)


def _encoded(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


@lru_cache(maxsize=1024)
def _checked_name(name: str | bytes) -> bytes:
    raw = name.encode(errors="replace") if isinstance(name, str) else name
    if not _TOKEN.match(raw):
        raise EgressRefused("a header name contains a character that names cannot have")
    if raw.lower() in _OWNED:
        raise EgressRefused(f"the header {raw.decode().lower()} is set by Brokle itself")
    return raw
