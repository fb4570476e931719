"""Why an attempt failed, and so who may be asked next."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.doors import Answer, NoUsableKey
from apps.routing.edge.lines import Line
from brokle.kernel.errors import BrokleError, UpstreamTimedOut

_PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_WRONG: Final = frozenset({400, 413, 422})
_KEY_REFUSED: Final = frozenset({401, 402, 403, 429})
# Google says of a key that it is not one with the status of a wrong request.
_NO_KEY: Final = re.compile(rb"API_KEY_INVALID|API key (not valid|expired)")
_TOO_LONG: Final = re.compile(
    rb"context_length_exceeded|context[ _](length|window)|maximum context|prompt is too long|too many (input )?tokens"
    rb"|input token count|string_above_max_length|input is too long",
    re.IGNORECASE,
)
_UNWANTED: Final = re.compile(
    rb"content_filter|content_policy|content management policy|moderation_blocked|ResponsibleAIPolicy", re.IGNORECASE
)


class Refusal(Exception):
    """The upstream answered, and the answer is no. It goes to the caller as it came."""

    def __init__(self, line: Line, answer: Answer, body: bytes) -> None:
        super().__init__(answer.status)
        self.line = line
        self.status = answer.status
        self.body = body
        self.header = answer.header

    def retry_after_s(self) -> float | None:
        """`retry-after-ms`, else `retry-after` in seconds or as a date."""
        precise, plain = self.header("retry-after-ms"), self.header("retry-after")
        try:
            if precise:
                return max(0.0, float(precise) / 1000)
            if plain:
                return max(0.0, float(plain))
        except ValueError:
            return _seconds_until(plain)
        return None


def _seconds_until(text: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


Failure = Refusal | BrokleError


def is_of_key(failure: Failure) -> bool:
    """Whether another key might do better."""
    if not isinstance(failure, Refusal):
        return False
    return failure.status in _KEY_REFUSED or (failure.status == 400 and _NO_KEY.search(failure.body) is not None)


def cause_of(failure: Failure) -> str:
    """One of route.Cause, or empty where the request is wrong in itself and nobody else would take it either."""
    if not isinstance(failure, Refusal):
        if isinstance(failure, CannotExpress):
            return "capability"
        return "timeout" if isinstance(failure, UpstreamTimedOut) else "error"
    status = failure.status
    if status == 429:
        return "rate_limit"
    if status in {408, 504}:
        return "timeout"
    if status in _WRONG:
        return _cause_in(failure.body)
    return "error" if status >= 500 or status in {401, 402, 403, 404, 409, 424, 425} else ""


def _cause_in(body: bytes) -> str:
    """Providers say these two in words of their own, with a status that says only that the request is wrong."""
    if _NO_KEY.search(body):
        return "error"
    if _TOO_LONG.search(body):
        return "context_window"
    return "content_policy" if _UNWANTED.search(body) else ""


def is_passing(failure: Failure) -> bool:
    """Whether the same call may go well a little later."""
    if isinstance(failure, Refusal):
        return failure.status in _PASSING
    return not isinstance(failure, NoUsableKey | CannotExpress)
