"""OpenAI's chat completions as they are on the wire: what the gateway reads of them, and nothing more."""

from typing import Any, Final

import msgspec

from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

CHAT_PATH: Final = "/chat/completions"
DONE: Final = b"data: [DONE]\n\n"


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class Ask(msgspec.Struct):
    """What the gateway itself reads; everything else is the provider's business."""

    model: str
    messages: msgspec.Raw
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None

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


_decode_ask: Final = msgspec.json.Decoder(Ask).decode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


def read_ask(body: bytes) -> Ask:
    try:
        ask = _decode_ask(body)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON") from error
    if bytes(ask.messages).translate(None, b" \t\r\n") == b"[]" or not bytes(ask.messages).startswith(b"["):
        raise BadRequest("`messages` must be a list with at least one message", field="messages")
    return ask


def find_reply(body: bytes) -> Reply | None:
    """None for what is no answer of this dialect; such bytes are passed on unread."""
    try:
        return _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def authorization(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"} if secret else {}


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.all_input,
        "completion_tokens": usage.all_output,
        "total_tokens": usage.total,
    }
