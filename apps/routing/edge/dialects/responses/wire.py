"""OpenAI's Responses API as it is on the wire: what the gateway reads of it, and nothing more."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import NO_JSON
from apps.routing.edge.dialects.speech import decoded
from apps.routing.edge.reply import Failed
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

RESPONSES: Final = "openai.responses"
_WEB_SEARCH: Final = "web_search_call"


class LightAsk(msgspec.Struct):
    """What the gateway itself reads of a request; everything else is the provider's business."""

    model: str
    input: msgspec.Raw = NO_JSON
    instructions: msgspec.Raw = NO_JSON
    tools: msgspec.Raw = NO_JSON
    stream: bool | None = False
    background: bool | None = False
    max_output_tokens: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    brokle: msgspec.Raw = NO_JSON
    drop_unsupported: bool | None = None

    @property
    def input_size(self) -> int:
        return len(bytes(self.input)) + len(bytes(self.instructions)) + len(bytes(self.tools))


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = 0


class WireUsage(msgspec.Struct):
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None

    def buckets(self) -> Usage:
        """`input_tokens` includes what was cached, `output_tokens` what was reasoned."""
        before, after = self.input_tokens_details, self.output_tokens_details
        cached = (before.cached_tokens or 0) if before else 0
        kept = (before.cache_write_tokens or 0) if before else 0
        reasoned = (after.reasoning_tokens or 0) if after else 0
        return Usage(
            input=max(0, (self.input_tokens or 0) - cached - kept),
            cache_read=cached,
            cache_write_5m=kept,
            output=max(0, (self.output_tokens or 0) - reasoned),
            reasoning=reasoned,
        )


class _Item(msgspec.Struct):
    type: str | None = None


class Reply(msgspec.Struct):
    """A whole answer, also as it stands in the first and last events of a stream."""

    model: msgspec.Raw = NO_JSON
    usage: WireUsage | None = None
    output: list[_Item] | None = None
    error: msgspec.Raw = NO_JSON

    @property
    def is_error(self) -> bool:
        return bytes(self.error) not in {b"", b"null"}

    def buckets(self) -> Usage | None:
        """Searches that ran at the provider are charged beside the tokens."""
        if self.usage is None:
            return None
        found = self.usage.buckets()
        found.web_searches = sum(item.type == _WEB_SEARCH for item in self.output or ())
        return found


_ask_decoder: Final = msgspec.json.Decoder(LightAsk)
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


def read_ask(body: bytes) -> LightAsk:
    ask: LightAsk = decoded(body, _ask_decoder)
    if bytes(ask.input)[:1] not in {b"", b'"', b"[", b"n"}:
        raise BadRequest("`input` is a text or a list of items", field="input")
    if ask.background:
        raise BadRequest("`background` answers end after the call that pays for them; leave it out", field="background")
    return ask


def find_reply(body: bytes) -> Reply | None:
    """None for what is no answer of this format; such bytes are passed on unread."""
    try:
        return _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's way of counting: what was cached is part of the input, what was reasoned part of the output."""
    return {
        "input_tokens": usage.all_input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.all_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def error_event(failure: Failed, number: int) -> dict[str, Any]:
    """Flat, as OpenAI's types have it, and nested, as its service sends it and its SDKs raise it."""
    said = {"code": failure.code or failure.type, "message": failure.message, "param": failure.param}
    nested = {"type": failure.type, **said, "code": failure.code}
    return {"type": "error", "sequence_number": number, **said, "error": nested}
