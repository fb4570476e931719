"""Anthropic's Messages API as it is on the wire: what the gateway reads of it, and nothing more."""

import re
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import NO_JSON
from apps.routing.edge.dialects.speech import decoded
from apps.routing.edge.reply import Failed, Finish
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

ANSWER_TOOL: Final = "answer_as_json"
"""Where a model has no way to be held to a schema, the answer is the input of a tool of this name."""

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KNOWN_TYPES: Final = frozenset(_TYPES.values()) | {"api_error"}
# What Anthropic says of a request that is longer than the model can read; it has no code of its own.
_TOO_LONG: Final = ("prompt is too long", "input length and `max_tokens` exceed context limit")

_FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_SAID: Final[dict[Finish, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "stop_sequence": "stop_sequence",
    "pause": "pause_turn",
}


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class Caller(msgspec.Struct, frozen=True):
    """Who asks, by name or machine, and in which of their sessions."""

    user: str = ""
    session: str = ""


class _Packed(msgspec.Struct):
    device_id: str
    account_uuid: str = ""
    session_id: str = ""


class LightAsk(msgspec.Struct):
    """What the gateway itself reads of a messages request; everything else is the provider's business."""

    model: str
    messages: msgspec.Raw
    max_tokens: int | None = None
    stream: bool | None = False
    system: msgspec.Raw = NO_JSON
    tools: msgspec.Raw = NO_JSON
    metadata: _Metadata | None = None
    brokle: msgspec.Raw = NO_JSON
    drop_unsupported: bool | None = None

    @property
    def input_size(self) -> int:
        return len(bytes(self.messages)) + len(bytes(self.system)) + len(bytes(self.tools))

    @property
    def caller(self) -> Caller:
        return caller_of((self.metadata.user_id or "") if self.metadata is not None else "")


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = 0
    ephemeral_1h_input_tokens: int | None = 0


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = 0


class WireUsage(msgspec.Struct):
    """In a stream each report is of the whole so far, and leaves out what has not changed."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None

    def over(self, former: "WireUsage | None") -> "WireUsage":
        """Takes from the former report what this one leaves out."""
        if former is None:
            return self
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        return WireUsage(**{name: getattr(former, name) if held is None else held for name, held in said.items()})

    def buckets(self) -> Usage:
        """`input_tokens` leaves out what was cached, `output_tokens` includes what was thought."""
        kept_1h = (self.cache_creation.ephemeral_1h_input_tokens or 0) if self.cache_creation else 0
        kept_5m = (self.cache_creation.ephemeral_5m_input_tokens or 0) if self.cache_creation else 0
        thought = (self.output_tokens_details.thinking_tokens or 0) if self.output_tokens_details else 0
        return Usage(
            input=self.input_tokens or 0,
            cache_read=self.cache_read_input_tokens or 0,
            cache_write_5m=max(kept_5m, (self.cache_creation_input_tokens or 0) - kept_1h),
            cache_write_1h=kept_1h,
            output=max(0, (self.output_tokens or 0) - thought),
            reasoning=thought,
        )


class ErrorObject(msgspec.Struct):
    type: str | None = None
    message: str | None = None
    details: Any = None

    @property
    def code(self) -> str | None:
        found = self.details.get("error_code") if isinstance(self.details, dict) else None
        if isinstance(found, str):
            return found
        return "context_length_exceeded" if (self.message or "").startswith(_TOO_LONG) else None


class Reply(msgspec.Struct):
    """A whole answer."""

    type: str | None = None
    model: msgspec.Raw = NO_JSON
    usage: WireUsage | None = None


class _Refusal(msgspec.Struct):
    """`{"type": "error", "error": {…}}`, and what stands in front of servers of this dialect says otherwise."""

    error: ErrorObject | str | None = None
    message: str | None = None


_decode_packed: Final = msgspec.json.Decoder(_Packed).decode
_UNDERSCORED: Final = re.compile(r"user_([0-9a-f]+)_account_([0-9a-f-]*)_session_([0-9a-f-]*)")
_ask_decoder: Final = msgspec.json.Decoder(LightAsk)
_decode_reply: Final = msgspec.json.Decoder(Reply).decode
_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


def caller_of(user_id: str) -> Caller:
    """Claude Code packs account, machine and session into the one member, of old between underscores."""
    found = _UNDERSCORED.fullmatch(user_id)
    if found is not None:
        return Caller(found[2] or found[1], found[3])
    if not user_id.startswith("{"):
        return Caller(user_id)
    try:
        packed = _decode_packed(user_id)
    except (msgspec.DecodeError, RecursionError):
        return Caller(user_id)
    return Caller(packed.account_uuid or packed.device_id, packed.session_id)


def read_ask(body: bytes) -> LightAsk:
    ask: LightAsk = decoded(body, _ask_decoder)
    if bytes(ask.messages).translate(None, b" \t\r\n") == b"[]" or not bytes(ask.messages).startswith(b"["):
        raise BadRequest("messages: at least one message is required", field="messages")
    return ask


def find_reply(body: bytes) -> Reply | None:
    """None for what is no answer of this dialect; such bytes are passed on unread."""
    try:
        return _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def finish_of(reason: str | None) -> Finish:
    return _FINISHES.get(reason or "end_turn", "stop")


def said_finish(finish: Finish) -> str:
    return _SAID[finish]


def usage_object(usage: Usage) -> dict[str, Any]:
    """Anthropic's way of counting: what was cached stands beside the input, what was thought in the output."""
    found: dict[str, Any] = {
        "input_tokens": usage.input + usage.audio_input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.all_output,
    }
    if usage.reasoning:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found


def whole_usage_object(usage: Usage) -> dict[str, Any]:
    """A stream's later reports leave the ages of the cache out."""
    ages = {
        "ephemeral_5m_input_tokens": usage.cache_write_5m,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }
    return {**usage_object(usage), "cache_creation": ages}


def refusal_of(status: int, body: bytes) -> Failed:
    """The provider's own words about why not; whatever form they come in, something is said."""
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    error = found.error if isinstance(found.error, ErrorObject) else ErrorObject(message=found.error or found.message)
    message = error.message or f"The upstream service answered {status}"
    return Failed(message, error.type or _TYPES.get(status, "api_error"), error.code, status=status)


def error_object(failure: Failed, request_id: str = "") -> bytes:
    """A type that Anthropic does not have is said by the nearest one; its code stays."""
    kind = failure.type if failure.type in _KNOWN_TYPES else _TYPES.get(failure.status, "api_error")
    message = failure.message
    if failure.code == "context_length_exceeded" and not message.startswith(_TOO_LONG):
        message = f"{_TOO_LONG[0]}: {message}"  # by which Claude Code knows that it must compact
    error: dict[str, Any] = {"type": kind, "message": message}
    if failure.code:
        error["details"] = {"error_code": failure.code}
    said: dict[str, Any] = {"type": "error", "error": error}
    return msgspec.json.encode({**said, "request_id": request_id} if request_id else said)
