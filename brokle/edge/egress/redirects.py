"""Following a redirect as if a stranger wrote it: checked anew, and without our credentials elsewhere."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.request_head import Headers
from brokle.edge.egress.response import Response
from brokle.edge.egress.urls import parse_url

MAX_REDIRECTS = 3
_STATUSES = frozenset({301, 302, 303, 307, 308})
# Keys travel in headers of any name, so the list is of what may cross to another origin, not of what may not.
_CROSSES_ORIGINS = frozenset({"accept", "accept-language", "accept-encoding", "content-type", "user-agent"})
_DESCRIBES_BODY = frozenset({"content-type", "content-encoding", "content-language"})


@dataclass(frozen=True, slots=True)
class Hop:
    method: str
    url: str
    headers: list[tuple[str | bytes, str | bytes]]
    body: bytes | None


def is_redirect(response: Response) -> bool:
    return response.status in _STATUSES and bool(response.header("location"))


def next_hop(
    method: str,
    url: str,
    headers: Headers,
    body: bytes | AsyncIterable[bytes] | None,
    *,
    status: int,
    location: str,
) -> Hop:
    """The request that a redirect asks for, or a refusal. Its address is checked when it is connected to."""
    here = parse_url(url).origin
    target = urljoin(url, location)
    there = parse_url(target.partition("#")[0])
    if here.scheme == "https" and there.origin.scheme != "https":
        raise EgressRefused(f"{here.host} redirects from https to http")
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if here != there.origin:
        pairs = [pair for pair in pairs if _lower(pair[0]) in _CROSSES_ORIGINS]
    if _becomes_get(method, status):
        pairs = [pair for pair in pairs if _lower(pair[0]) not in _DESCRIBES_BODY]
        return Hop("GET", str(there), pairs, None)
    if body is not None and not isinstance(body, bytes):
        raise EgressRefused(f"{here.host} redirects a streamed request, which cannot be sent twice")
    return Hop(method, str(there), pairs, body)


def _becomes_get(method: str, status: int) -> bool:
    if status == 303:
        return method != "HEAD"
    return status in {301, 302} and method == "POST"


def _lower(name: str | bytes) -> str:
    return (name.decode("latin-1") if isinstance(name, bytes) else name).lower()
