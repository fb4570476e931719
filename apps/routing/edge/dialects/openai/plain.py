"""OpenAI's one-shot endpoints with a JSON body: passed on as they are, read for the model and for what was used."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.openai.wire import error_object
from apps.routing.edge.dialects.speech import CannotExpress, Light, Stream, WholeBody, Writer, decoded
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, openai

_OURS: Final = ("brokle", "drop_unsupported")
_raw: Final = msgspec.json.Encoder().encode
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


class _PlainAsk(msgspec.Struct):
    model: str
    input: msgspec.Raw = msgspec.Raw(b"")
    prompt: msgspec.Raw = msgspec.Raw(b"")
    query: msgspec.Raw = msgspec.Raw(b"")
    documents: msgspec.Raw = msgspec.Raw(b"")
    user: str | None = None
    stream: bool | None = False
    brokle: msgspec.Raw = msgspec.Raw(b"")
    drop_unsupported: bool | None = None

    @property
    def input_size(self) -> int:
        return sum(len(bytes(part)) for part in (self.input, self.prompt, self.query, self.documents))


class _Details(msgspec.Struct):
    text_tokens: int | None = 0
    image_tokens: int | None = 0
    audio_tokens: int | None = 0
    cached_tokens: int | None = 0


class _PlainUsage(msgspec.Struct):
    """Embeddings count `prompt_tokens`, pictures and sound `input_tokens` or seconds."""

    prompt_tokens: int | None = 0
    total_tokens: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    seconds: float | None = 0
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None

    def buckets(self) -> Usage:
        details = self.input_tokens_details or self.input_token_details or _Details()
        pictures, sound, cached = details.image_tokens or 0, details.audio_tokens or 0, details.cached_tokens or 0
        asked = self.input_tokens or self.prompt_tokens or 0
        if not asked and not self.output_tokens:
            asked = self.total_tokens or 0
        return Usage(
            input=max(0, asked - pictures - sound - cached),
            cache_read=cached,
            image_input=pictures,
            audio_input=sound,
            output=self.output_tokens or 0,
            audio_ms=round((self.seconds or 0) * 1000),
        )


class _BilledUnits(msgspec.Struct):
    search_units: float | None = 0


class _Meta(msgspec.Struct):
    billed_units: _BilledUnits | None = None


class _PlainReply(msgspec.Struct):
    model: msgspec.Raw = msgspec.Raw(b"")
    usage: _PlainUsage | None = None
    data: list[msgspec.Raw] | None = None
    duration: float | str | None = None
    meta: _Meta | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


_ask_decoder: Final = msgspec.json.Decoder(_PlainAsk)
_decode_reply: Final = msgspec.json.Decoder(_PlainReply).decode

Measured = Callable[[_PlainReply], Usage | None]


def by_tokens(reply: _PlainReply) -> Usage | None:
    return reply.usage.buckets() if reply.usage is not None else None


def by_pictures(reply: _PlainReply) -> Usage | None:
    """Models priced by token say their tokens; the number of pictures is always there."""
    usage = by_tokens(reply) or Usage()
    usage.images = len(reply.data or ())
    if usage.output and usage.images:
        usage.output, usage.image_output = 0, usage.output
    return usage


def by_searches(reply: _PlainReply) -> Usage | None:
    units = reply.meta.billed_units if reply.meta is not None else None
    return Usage(searches=round(units.search_units or 0)) if units is not None else by_tokens(reply)


def by_sound(reply: _PlainReply) -> Usage | None:
    if reply.usage is not None:
        return reply.usage.buckets()
    return Usage(audio_ms=round(float(reply.duration) * 1000)) if reply.duration else None


def by_nothing(reply: _PlainReply) -> Usage | None:
    return Usage()


class PlainFormat(WholeBody):
    """`says_characters` is for speech, which is counted by the letters that are spoken."""

    error_shape: ErrorShape = staticmethod(openai)

    def __init__(
        self, operation: str, measured: Measured, *, is_binary: bool = False, says_characters: bool = False
    ) -> None:
        self.name = f"openai.{operation}"
        self.endpoint = self.operation = operation
        self.is_binary = is_binary
        self._measured = measured
        self._says_characters = says_characters

    def read_ask(self, request: Request, body: bytes) -> Ask:
        light: _PlainAsk = decoded(body, _ask_decoder)
        drops = bool(light.drop_unsupported)
        controls = read_controls(request.headers, bytes(light.brokle), drops_unsupported=drops)
        return Ask(
            light.model,
            body,
            controls,
            no_conversation,
            is_stream=bool(light.stream) and not self.is_binary,
            input_size=light.input_size,
            output_bound=0,
            user=light.user or "",
            light=light,
        )

    def known_usage(self, ask: Ask) -> Usage | None:
        """What the request itself says."""
        if not self._says_characters:
            return None
        said = ask.light.input
        text = msgspec.json.decode(said) if _TEXT.fullmatch(bytes(said)) else ""
        return Usage(characters=len(text), input=-(-len(text.encode()) // 4), is_estimated=True)

    def relayed(self, ask: Ask, model: str) -> bytes:
        light: _PlainAsk = ask.light
        if model == light.model and not bytes(light.brokle) and light.drop_unsupported is None:
            return ask.body
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        members["model"] = msgspec.Raw(_raw(model))
        return joined(members)

    def find_light(self, body: bytes) -> Light | None:
        try:
            reply = _decode_reply(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return Light(self._measured(reply), bytes(reply.model), is_error=bytes(reply.error) not in {b"", b"null"})

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Stream:
        from apps.routing.edge.dialects.openai.passage import Passage

        return Passage(ask.model, wants_usage=True, metadata=metadata)

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        raise CannotExpress(self.endpoint, "this provider")

    def writer(self, ask: Ask) -> Writer:
        raise CannotExpress(self.endpoint, "this provider")

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


def no_conversation(ask: Any) -> Conversation:
    raise CannotExpress("model", "this provider", "it has no such endpoint")
