"""Replicate's predictions as they are on the wire: what the gateway reads of them, and nothing more."""

import re
from typing import Any, Final

import msgspec

from apps.routing.edge.reply import Failed
from apps.routing.edge.usage import Usage

SUCCEEDED: Final = "succeeded"
_OVER: Final = frozenset({SUCCEEDED, "failed", "canceled", "aborted"})
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
UNWANTED: Final = "content_policy_violation"
_UNWANTED: Final = re.compile(r"\bE005\b|flagged as sensitive|NSFW content", re.IGNORECASE)


class Urls(msgspec.Struct):
    get: str | None = None
    cancel: str | None = None
    stream: str | None = None


class Metrics(msgspec.Struct):
    """Official models of language count tokens; others only seconds."""

    input_token_count: float | None = None
    output_token_count: float | None = None
    token_input_count: float | None = None
    token_output_count: float | None = None

    def buckets(self) -> Usage | None:
        read = self.input_token_count if self.input_token_count is not None else self.token_input_count
        made = self.output_token_count if self.output_token_count is not None else self.token_output_count
        return None if read is None and made is None else Usage(input=round(read or 0), output=round(made or 0))


class Prediction(msgspec.Struct):
    id: str = ""
    model: str | None = None
    status: str = ""
    output: Any = None
    error: Any = None
    metrics: Metrics | None = None
    urls: Urls = msgspec.field(default_factory=Urls)

    @property
    def is_over(self) -> bool:
        return self.status in _OVER

    @property
    def failure(self) -> str:
        """Its own words, or that it was called off."""
        return str(self.error) if self.error else f"The prediction is {self.status}"

    def usage(self) -> Usage | None:
        return self.metrics.buckets() if self.metrics is not None else None


class _Refusal(msgspec.Struct):
    title: str | None = None
    detail: str | None = None
    error: str | None = None
    code: str | None = None


decode_prediction: Final = msgspec.json.Decoder(Prediction).decode
_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


def text_of(output: Any) -> str:
    """Models of language give a text, or its pieces in a list."""
    if isinstance(output, list):
        return "".join(piece for piece in output if isinstance(piece, str))
    return output if isinstance(output, str) else ""


def is_unwanted(words: str) -> bool:
    """Whether it was stopped for what it says; there is no member that would tell."""
    return _UNWANTED.search(words) is not None


def refusal_of(status: int, body: bytes) -> Failed:
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    words = (found.detail or found.error or found.title or "").strip()
    message = words or f"The upstream service answered {status}"
    return Failed(message, _TYPES.get(status, "server_error"), found.code, status=status)
