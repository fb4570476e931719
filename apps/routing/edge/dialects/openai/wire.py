"""OpenAI's chat completions as they are on the wire: what the gateway reads of them, and nothing more."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.speech import decoded
from apps.routing.edge.reply import Failed
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

DONE: Final = b"data: [DONE]\n\n"
# Clients look for OpenAI's words to know that a shorter conversation would help, whoever the provider is.
_TOO_LONG: Final = "context_length_exceeded"
_TOO_LONG_WORDS: Final = "maximum context length"


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class LightAsk(msgspec.Struct):
    """What the gateway itself reads of a chat request; everything else is the provider's business."""

    model: str
    messages: msgspec.Raw
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    brokle: msgspec.Raw = msgspec.Raw(b"")
    drop_unsupported: bool | None = None

    @property
    def output_bound(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = 0
    audio_tokens: int | None = 0


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class WireUsage(msgspec.Struct):
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None

    def buckets(self) -> Usage:
        """`prompt_tokens` includes what was cached, `completion_tokens` what was reasoned."""
        before, after = self.prompt_tokens_details, self.completion_tokens_details
        cached = (before.cached_tokens or 0) if before else 0
        heard = (before.audio_tokens or 0) if before else 0
        reasoned = (after.reasoning_tokens or 0) if after else 0
        spoken = (after.audio_tokens or 0) if after else 0
        return Usage(
            input=max(0, (self.prompt_tokens or 0) - cached - heard),
            cache_read=cached,
            audio_input=heard,
            output=max(0, (self.completion_tokens or 0) - reasoned - spoken),
            reasoning=reasoned,
            audio_output=spoken,
        )


class Reply(msgspec.Struct):
    """A whole answer or one event of a stream."""

    model: msgspec.Raw = msgspec.Raw(b"")
    usage: WireUsage | None = None
    choices: list[msgspec.Raw] | None = None
    error: msgspec.Raw = msgspec.Raw(b"")

    @property
    def is_only_usage(self) -> bool:
        return self.usage is not None and not self.choices

    @property
    def is_error(self) -> bool:
        return bytes(self.error) not in {b"", b"null"}


class _ErrorObject(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    """`{"error": {…}}`, and the looser forms that servers of this dialect answer with too."""

    error: _ErrorObject | str | None = None
    message: str | None = None


_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode
_ask_decoder: Final = msgspec.json.Decoder(LightAsk)
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


def read_ask(body: bytes) -> LightAsk:
    ask: LightAsk = decoded(body, _ask_decoder)
    if bytes(ask.messages).translate(None, b" \t\r\n") == b"[]" or not bytes(ask.messages).startswith(b"["):
        raise BadRequest("`messages` must be a list with at least one message", field="messages")
    return ask


def find_reply(body: bytes) -> Reply | None:
    """None for what is no answer of this dialect; such bytes are passed on unread."""
    try:
        return _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's way of counting: what was cached is part of the prompt, what was reasoned part of the completion."""
    read: dict[str, Any] = {"cached_tokens": usage.cache_read}
    if usage.audio_input:
        read["audio_tokens"] = usage.audio_input
    if usage.cache_write_5m or usage.cache_write_1h:
        read["cache_creation_tokens"] = usage.cache_write_5m + usage.cache_write_1h
    made: dict[str, Any] = {"reasoning_tokens": usage.reasoning}
    if usage.audio_output:
        made["audio_tokens"] = usage.audio_output
    return {
        "prompt_tokens": usage.all_input,
        "completion_tokens": usage.all_output,
        "total_tokens": usage.total,
        "prompt_tokens_details": read,
        "completion_tokens_details": made,
    }


def refusal_of(status: int, body: bytes) -> Failed:
    """The provider's own words about why not; whatever form they come in, something is said."""
    try:
        found = _decode_refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:2000].decode(errors="replace").strip()
        return Failed(text or f"The upstream service answered {status}", "upstream_error", status=status)
    error = found.error if isinstance(found.error, _ErrorObject) else _ErrorObject(message=found.error or found.message)
    code = None if error.code is None else str(error.code)
    message = error.message or f"The upstream service answered {status}"
    return Failed(message, error.type or "upstream_error", code, error.param, status)


def error_object(failure: Failed) -> bytes:
    """The same four members for every failure, as the SDKs expect them."""
    message = failure.message
    if failure.code == _TOO_LONG and _TOO_LONG_WORDS not in message:
        message = f"This model's {_TOO_LONG_WORDS} is exceeded: {message}"
    error = {"message": message, "type": failure.type, "param": failure.param, "code": failure.code}
    return msgspec.json.encode({"error": error})
