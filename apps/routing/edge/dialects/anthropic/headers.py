"""What Anthropic's format says in headers: ours to its callers, and theirs to the provider."""

from datetime import UTC, datetime, timedelta
from typing import Final

from brokle.edge.http import Header, Request

_PASSED_ON: Final = (b"anthropic-version", b"anthropic-beta")
_LONGEST: Final = 2000
_OURS: Final = b"x-ratelimit-"


def passed_on(request: Request) -> tuple[tuple[str, str], ...]:
    """Which edition of the API the caller speaks is the provider's business."""
    found = ((name, request.headers.get(name, b"")) for name in _PASSED_ON)
    return tuple((name.decode(), value.decode("latin-1")) for name, value in found if 0 < len(value) <= _LONGEST)


def adorned(request: Request) -> list[Header]:
    """The request's id under the name Anthropic's SDKs look for, and our limits in Anthropic's form."""
    found: list[Header] = [(b"request-id", request.request_id.encode())]
    for name, value in request.extra_headers:
        if name.startswith(_OURS):
            fact, _, unit = name.removeprefix(_OURS).partition(b"-")
            found.append((b"anthropic-ratelimit-%b-%b" % (unit, fact), _moment(value) if fact == b"reset" else value))
    return found


def _moment(reset: bytes) -> bytes:
    """`12.500s` from now, as the moment itself."""
    at = datetime.now(UTC) + timedelta(seconds=float(reset.removesuffix(b"s")))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
