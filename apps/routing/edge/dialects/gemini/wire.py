"""Gemini's API as it is on the wire: what the gateway reads of answers, and nothing more."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import NO_JSON
from apps.routing.edge.reply import Failed, Finish
from apps.routing.edge.usage import Usage

MOST_CANDIDATES: Final = 1000
_BLOCKED: Final = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
)
_FINISHES: Final[dict[str, Finish]] = {"MAX_TOKENS": "length", **dict.fromkeys(_BLOCKED, "content_filter")}
_SAID: Final[dict[Finish, str]] = {"length": "MAX_TOKENS", "content_filter": "SAFETY", "refusal": "SAFETY"}
_TYPES: Final = {
    "INVALID_ARGUMENT": "invalid_request_error",
    "FAILED_PRECONDITION": "invalid_request_error",
    "OUT_OF_RANGE": "invalid_request_error",
    "UNAUTHENTICATED": "authentication_error",
    "PERMISSION_DENIED": "permission_error",
    "NOT_FOUND": "not_found_error",
    "RESOURCE_EXHAUSTED": "rate_limit_error",
}
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_KNOWN_STATUSES: Final = frozenset(_STATUSES.values()) | {"INTERNAL", *_TYPES}
# What Gemini says of a request that is longer than the model can read; it has no code of its own.
_TOO_LONG: Final = "The input token count"


class _ModalityCount(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: int | None = 0


class WireUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = 0
    tool_use_prompt_token_count: int | None = 0
    cached_content_token_count: int | None = 0
    candidates_token_count: int | None = 0
    thoughts_token_count: int | None = 0
    prompt_tokens_details: list[_ModalityCount] | None = None
    cache_tokens_details: list[_ModalityCount] | None = None
    candidates_tokens_details: list[_ModalityCount] | None = None

    def buckets(self) -> Usage:
        """What was cached is part of the prompt, what was thought stands beside the candidates."""
        cached, spoken = self.cached_content_token_count or 0, self.candidates_token_count or 0
        heard, seen = (self._fresh(modality) for modality in ("AUDIO", "IMAGE"))
        voiced, drawn = (_count(self.candidates_tokens_details, modality) for modality in ("AUDIO", "IMAGE"))
        prompt = (self.prompt_token_count or 0) + (self.tool_use_prompt_token_count or 0)
        return Usage(
            input=max(0, prompt - cached - heard - seen),
            cache_read=cached,
            audio_input=heard,
            image_input=seen,
            output=max(0, spoken - voiced - drawn),
            reasoning=self.thoughts_token_count or 0,
            audio_output=voiced,
            image_output=drawn,
        )

    def _fresh(self, modality: str) -> int:
        """Of the prompt, without what of it was cached."""
        return max(0, _count(self.prompt_tokens_details, modality) - _count(self.cache_tokens_details, modality))


def _count(details: list[_ModalityCount] | None, modality: str) -> int:
    return sum(entry.token_count or 0 for entry in details or () if entry.modality == modality)


class ErrorObject(msgspec.Struct):
    code: int | None = None
    message: str | None = None
    status: str | None = None


class _Refusal(msgspec.Struct):
    error: ErrorObject | str | None = None
    message: str | None = None


class _Ended(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class Reply(msgspec.Struct, rename="camel"):
    """What is read of an answer that is relayed, whole or one chunk of a stream."""

    usage_metadata: WireUsage | None = None
    candidates: list[_Ended] | None = None
    prompt_feedback: _Feedback | None = None
    error: msgspec.Raw = NO_JSON

    @property
    def is_error(self) -> bool:
        return bytes(self.error) not in {b"", b"null"}

    @property
    def ended(self) -> int:
        """How many candidates end here: all of them where the question was not let through."""
        if not self.candidates and self.prompt_feedback is not None and self.prompt_feedback.block_reason:
            return MOST_CANDIDATES
        return sum(bool(candidate.finish_reason) for candidate in self.candidates or ())


_decode_reply: Final = msgspec.json.Decoder(Reply).decode
_decode_refusal: Final = msgspec.json.Decoder(_Refusal | list[_Refusal]).decode


def find_reply(body: bytes) -> Reply | None:
    """None for what is no answer of this dialect; such bytes are passed on unread."""
    try:
        return _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def finish_of(reason: str) -> Finish:
    """What has no word elsewhere (a call that the model wrote wrongly, a language it lacks) is an end like any."""
    return _FINISHES.get(reason, "stop")


def said_finish(finish: Finish) -> str:
    return _SAID.get(finish, "STOP")


def usage_object(usage: Usage) -> dict[str, Any]:
    """Gemini's way of counting: what was cached is part of the prompt, what was thought stands beside the answer."""
    found: dict[str, Any] = {
        "promptTokenCount": usage.all_input,
        "candidatesTokenCount": usage.all_output - usage.reasoning,
        "totalTokenCount": usage.total,
    }
    if usage.cache_read:
        found["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        found["thoughtsTokenCount"] = usage.reasoning
    return found


def refusal_of(status: int, body: bytes) -> Failed:
    """The provider's own words about why not; a stream that is no event stream wraps them in a list."""
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    if isinstance(found, list):
        found = found[0] if found else _Refusal()
    error = found.error if isinstance(found.error, ErrorObject) else ErrorObject(message=found.error or found.message)
    return failed(error, status)


def failed(error: ErrorObject, status: int) -> Failed:
    message = error.message or f"The upstream service answered {status}"
    named = error.status or _STATUSES.get(status, "INTERNAL")
    code = "context_length_exceeded" if message.startswith(_TOO_LONG) else named
    return Failed(message, _TYPES.get(named, "server_error"), code, status=status)


def error_object(failure: Failed) -> bytes:
    """A failure that Google has no word for is said by the nearest one."""
    named = failure.code if failure.code in _KNOWN_STATUSES else _STATUSES.get(failure.status, "INTERNAL")
    return msgspec.json.encode({"error": {"code": failure.status, "message": failure.message, "status": named}})
