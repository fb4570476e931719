"""Cohere's API, second edition, as it is on the wire: what the gateway reads of answers, and nothing more."""

from typing import Final

import msgspec

from apps.routing.edge.reply import Failed, Finish
from apps.routing.edge.usage import Usage

FAILED: Final = frozenset({"ERROR", "TIMEOUT"})
_FINISHES: Final[dict[str, Finish]] = {
    "MAX_TOKENS": "length",
    "STOP_SEQUENCE": "stop_sequence",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    498: "authentication_error",
    504: "timeout_error",
}
# What Cohere says of a request that is longer than the model can read; it has no code of its own.
_TOO_LONG: Final = "too many tokens"


class Units(msgspec.Struct):
    input_tokens: float | None = 0
    output_tokens: float | None = 0
    search_units: float | None = 0


class WireUsage(msgspec.Struct):
    billed_units: Units | None = None
    tokens: Units | None = None

    def buckets(self) -> Usage | None:
        """What is billed; `tokens` counts also what Cohere itself put around the messages."""
        units = self.billed_units or self.tokens
        if units is None:
            return None
        return Usage(
            input=round(units.input_tokens or 0),
            output=round(units.output_tokens or 0),
            searches=round(units.search_units or 0),
        )


class _Refusal(msgspec.Struct):
    message: str | None = None


_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


def finish_of(reason: str | None) -> Finish:
    return _FINISHES.get(reason or "", "stop")


def refusal_of(status: int, body: bytes) -> Failed:
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    message = found.message or f"The upstream service answered {status}"
    code = "context_length_exceeded" if message.startswith(_TOO_LONG) else None
    return Failed(message, _TYPES.get(status, "server_error"), code, status=status)
