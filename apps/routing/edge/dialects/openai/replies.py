"""OpenAI's chat completions, whole answers: read into events, and written from them."""

import time
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media
from apps.routing.edge.dialects.openai.extras import ExtraContent, seal_in, with_seal
from apps.routing.edge.dialects.openai.wire import WireUsage, usage_object
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Finish,
    Finished,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id

_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_SAID: Final[dict[Finish, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "pause": "stop",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolPiece(msgspec.Struct):
    """A whole call, or one piece of it in a stream."""

    index: int = 0
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)
    extra_content: ExtraContent | None = None


class _Audio(msgspec.Struct):
    id: str = ""
    data: str = ""
    transcript: str = ""


class Said(msgspec.Struct):
    """A message, or the delta of one."""

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolPiece] | None = None
    function_call: _Function | None = None
    audio: _Audio | None = None
    images: list[dict[str, Any]] | None = None
    thinking_blocks: list[dict[str, Any]] | None = None


class _Logprobs(msgspec.Struct):
    content: list[Any] | None = None


class Choice(msgspec.Struct):
    index: int = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class Answer(msgspec.Struct):
    """A whole answer, or one chunk of a stream."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[Choice] | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(Answer).decode


def read_whole(body: bytes) -> WholeReply:
    answer = _decode(body)
    if answer.choices is None:
        raise msgspec.ValidationError("an answer has choices")
    events: list[Event] = [Begun(answer.id or "", answer.model or "")]
    for choice in answer.choices:
        events += _message(choice)
        events.append(Finished(finish_of(choice.finish_reason), choice.index))
    if answer.usage is not None:
        events.append(Used(answer.usage.buckets()))
    return WholeReply(events, answer.created or 0)


def finish_of(reason: str | None) -> Finish:
    return _FINISHES.get(reason or "stop", "stop")


def _message(choice: Choice) -> list[Event]:
    said = choice.message or Said()
    events = pieces_of(said, choice)
    for place, call in enumerate(said.tool_calls or ()):
        seal = seal_in(call.extra_content)
        events.append(ToolBegun(place, call.id or "", call.function.name or "", choice.index, seal))
        events.append(ArgumentsPiece(place, call.function.arguments or "", choice.index))
    if said.audio is not None and said.audio.data:
        events.append(MediaPiece(Media("audio", data=said.audio.data), choice.index))
    return events


def pieces_of(said: Said, choice: Choice) -> list[Event]:
    """All but tool calls, which come whole or in pieces."""
    events: list[Event] = []
    thought = said.reasoning_content or said.reasoning or _thought(said.content)
    if thought:
        events.append(ThoughtPiece(thought, choice=choice.index))
    text = said.content if isinstance(said.content, str) else _joined(said.content)
    logprobs = choice.logprobs.content if choice.logprobs else None
    if text or logprobs:
        events.append(TextPiece(text, choice.index, logprobs))
    if said.refusal:
        events.append(RefusalPiece(said.refusal, choice.index))
    return events


def _joined(parts: list[dict[str, Any]] | None) -> str:
    return "".join(str(part.get("text", "")) for part in parts or () if part.get("type") == "text")


def _thought(content: str | list[dict[str, Any]] | None) -> str:
    """Mistral's way: thoughts are parts of the content, with parts of their own."""
    parts = content if isinstance(content, list) else []
    return "".join(_joined(part.get("thinking")) for part in parts if isinstance(part.get("thinking"), list))


def write_whole(reply: WholeReply, asked: str) -> bytes:
    head: dict[str, Any] = {"id": "", "object": "chat.completion", "created": reply.created or int(time.time())}
    choices: dict[int, _Written] = {}
    usage = Usage()
    for event in reply.events:
        if isinstance(event, Begun):
            head["id"] = event.id
        elif isinstance(event, Used):
            usage = event.usage
        else:
            choices.setdefault(getattr(event, "choice", 0), _Written()).take(event)
    head["id"] = head["id"] or new_id("chatcmpl")
    written = [choices[index].choice(index) for index in sorted(choices)]
    return msgspec.json.encode({**head, "model": asked, "choices": written, "usage": usage_object(usage)})


class _Written:
    """One choice in the making."""

    __slots__ = ("_blocks", "_calls", "_finish", "_logprobs", "_media", "_refusal", "_texts")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._blocks: list[ThoughtPiece] = []
        self._refusal = ""
        self._calls: dict[int, list[str]] = {}
        self._logprobs: list[Any] = []
        self._media: list[Media] = []
        self._finish: Finish = "stop"

    def take(self, event: Event) -> None:
        if isinstance(event, TextPiece):
            self._texts.append(event.text)
            self._logprobs += event.logprobs or ()
        elif isinstance(event, ThoughtPiece):
            self._blocks.append(event)
        elif isinstance(event, RefusalPiece):
            self._refusal += event.text
        elif isinstance(event, ToolBegun):
            self._calls[event.index] = [event.id, event.name, "", event.signature]
        elif isinstance(event, ArgumentsPiece):
            self._calls[event.index][2] += event.text
        elif isinstance(event, MediaPiece):
            self._media.append(event.media)
        elif isinstance(event, Finished):
            self._finish = event.reason

    def choice(self, index: int) -> dict[str, Any]:
        text = "".join(self._texts)
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": self._refusal or None}
        if not self._calls and text == "" and not self._refusal:
            message["content"] = ""
        if self._blocks:
            message["reasoning_content"] = "".join(block.text for block in self._blocks)
            message["thinking_blocks"] = thinking_blocks(self._blocks)
        if self._calls:
            message["tool_calls"] = [tool_call(*self._calls[place]) for place in sorted(self._calls)]
        if self._media:
            message["images"] = [image_of(media) for media in self._media if media.kind == "image"]
        logprobs = {"content": self._logprobs, "refusal": None} if self._logprobs else None
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": said_finish(self._finish)}


def said_finish(finish: Finish) -> str:
    return _SAID[finish]


def tool_call(call_id: str, name: str, arguments: str, seal: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments or "{}"}
    return with_seal({"id": call_id, "type": "function", "function": function}, seal)


def image_of(media: Media) -> dict[str, Any]:
    from apps.routing.edge.dialects.data_urls import data_url

    return {"type": "image_url", "image_url": {"url": media.url or data_url(media)}}


def thinking_blocks(pieces: list[ThoughtPiece]) -> list[dict[str, Any]]:
    """As Anthropic writes them, so that a caller can give them back: text runs up to its signature."""
    blocks: list[dict[str, Any]] = []
    text = ""
    for piece in pieces:
        text += piece.text
        if piece.signature:
            blocks.append({"type": "thinking", "thinking": text, "signature": piece.signature})
            text = ""
        if piece.sealed:
            blocks.append({"type": "redacted_thinking", "data": piece.sealed})
    if text:
        blocks.append({"type": "thinking", "thinking": text, "signature": ""})
    return blocks
