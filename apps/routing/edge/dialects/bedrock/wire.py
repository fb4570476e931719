"""Bedrock's Converse API as it is on the wire: what the gateway reads of answers, and nothing more."""

from typing import Final

import msgspec

from apps.routing.edge.reply import Failed, Finish
from apps.routing.edge.usage import Usage

_FINISHES: Final[dict[str, Finish]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",
}
# The statuses that the exceptions inside of a stream have outside of it.
_STATUSES: Final = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 424,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 400,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_NAMES: Final = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
# What models say of a request that is longer than they can read; Bedrock has no code for it, and says the last of them
# also of too many tokens in a minute.
_TOO_LONG: Final = ("input is too long", "prompt is too long", "context length", "context window", "too many tokens")


class _CacheDetail(msgspec.Struct, rename="camel"):
    ttl: str = "5m"
    input_tokens: int = 0


class WireUsage(msgspec.Struct, rename="camel"):
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    cache_write_input_tokens: int | None = 0
    cache_details: list[_CacheDetail] | None = None

    def buckets(self) -> Usage:
        """`inputTokens` leaves out what was cached, `outputTokens` includes what was thought."""
        kept_1h = sum(detail.input_tokens for detail in self.cache_details or () if detail.ttl == "1h")
        return Usage(
            input=self.input_tokens or 0,
            cache_read=self.cache_read_input_tokens or 0,
            cache_write_5m=max(0, (self.cache_write_input_tokens or 0) - kept_1h),
            cache_write_1h=kept_1h,
            output=self.output_tokens or 0,
        )


class _Refusal(msgspec.Struct):
    """AWS' services spell the word in either way."""

    message: str | None = None
    upper_message: str | None = msgspec.field(default=None, name="Message")
    kind: str | None = msgspec.field(default=None, name="__type")
    original_message: str | None = msgspec.field(default=None, name="originalMessage")


_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


def finish_of(reason: str | None, *, has_calls: bool) -> Finish:
    """What has no word elsewhere (a call that the model wrote wrongly) is an end like any.

    An answer that was given as a tool's input is no call of a tool to the caller.
    """
    finish = _FINISHES.get(reason or "", "stop")
    return "stop" if finish == "tool_calls" and not has_calls else finish


def refusal_of(status: int, body: bytes) -> Failed:
    """Bedrock's own words about why not; the exception's name stands in a header that does not come here."""
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    name = (found.kind or "").rpartition("#")[2] or _NAMES.get(status, "")
    return _failed(name, found, status)


def exception_of(name: str, payload: bytes) -> Failed:
    """An exception inside of a stream, by its name."""
    status = _STATUSES.get(name.lower(), 502)
    try:
        return _failed(name, _decode_refusal(payload), status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _failed(name, _Refusal(payload[:2000].decode(errors="replace").strip()), status)


def _failed(name: str, said: _Refusal, status: int) -> Failed:
    message = said.message or said.upper_message or said.original_message or ""
    is_too_long = status == 400 and any(words in message.lower() for words in _TOO_LONG)
    code = "context_length_exceeded" if is_too_long else name or None
    message = message or name or f"The upstream service answered {status}"
    return Failed(message, _TYPES.get(status, "server_error"), code, status=status)
