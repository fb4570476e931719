"""OpenAI's chat completions, streams: read into events, and written from them."""

import time
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media
from apps.routing.edge.dialects.openai.extras import seal_in, with_seal
from apps.routing.edge.dialects.openai.replies import Answer, Choice, Said, finish_of, image_of, pieces_of, said_finish
from apps.routing.edge.dialects.openai.wire import DONE, error_object, find_reply, refusal_of, usage_object
from apps.routing.edge.dialects.sse import Events, written
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Failed,
    Finished,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id

_decode: Final = msgspec.json.Decoder(Answer).decode
_encode: Final = msgspec.json.Encoder().encode


class ChatReader:
    """Servers differ in where they say the usage and in whether they say `[DONE]`: a finish reason is an end too."""

    __slots__ = ("_begun", "_calls", "_events", "is_complete")

    def __init__(self) -> None:
        self._events = Events()
        self._begun = False
        self._calls: set[tuple[int, int]] = set()
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for _, data in self._events.feed(chunk) for event in self._read(data)]

    def finish(self) -> list[Event]:
        return [event for _, data in self._events.finish() for event in self._read(data)]

    def _read(self, data: bytes) -> list[Event]:
        if data == b"[DONE]":
            self.is_complete = True
            return []
        light = find_reply(data)
        if light is not None and light.is_error:
            return [refusal_of(502, data)]
        answer = _decode(data)
        found: list[Event] = []
        if not self._begun:
            self._begun = True
            found.append(Begun(answer.id or "", answer.model or ""))
        for choice in answer.choices or ():
            found += self._choice(choice)
        if answer.usage is not None:
            found.append(Used(answer.usage.buckets()))
        return found

    def _choice(self, choice: Choice) -> list[Event]:
        said = choice.delta or Said()
        found = pieces_of(said, choice)
        for call in said.tool_calls or ():
            place = (choice.index, call.index)
            if place not in self._calls:
                self._calls.add(place)
                seal = seal_in(call.extra_content)
                found.append(ToolBegun(call.index, call.id or "", call.function.name or "", choice.index, seal))
            if call.function.arguments:
                found.append(ArgumentsPiece(call.index, call.function.arguments, choice.index))
        if said.audio is not None and said.audio.data:
            found.append(MediaPiece(Media("audio", data=said.audio.data), choice.index))
        if choice.finish_reason:
            self.is_complete = True
            found.append(Finished(finish_of(choice.finish_reason), choice.index))
        return found


class ChatWriter:
    __slots__ = ("_asked", "_head", "_spoke", "_wants_usage")

    def __init__(self, asked: str, *, wants_usage: bool) -> None:
        self._asked = asked
        self._wants_usage = wants_usage
        self._head: dict[str, Any] = {}
        self._spoke: set[int] = set()

    def write(self, event: Event) -> bytes:
        if isinstance(event, Begun):
            self._begin(event.id)
            return b""
        delta = _delta(event)
        if delta is None:
            return b""
        choice = getattr(event, "choice", 0)
        logprobs = event.logprobs if isinstance(event, TextPiece) else None
        return self._opening(choice) + self._chunk(choice, delta, logprobs=logprobs)

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        out = b""
        for place, one in enumerate(finished or [Finished("stop")]):
            is_last = place == max(0, len(finished) - 1)
            adorned = metadata if is_last else b""
            out += self._opening(one.choice) + self._chunk(one.choice, {}, said_finish(one.reason), adorned)
        if self._wants_usage:
            out += written(_encode({**self._head, "choices": [], "usage": usage_object(usage)}))
        return out + DONE

    def fail(self, failure: Failed) -> bytes:
        return written(error_object(failure))

    def _begin(self, stream_id: str = "") -> None:
        self._head = {
            "id": stream_id or new_id("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._asked,
        }

    def _opening(self, choice: int) -> bytes:
        """The first chunk of each choice says whose turn it is."""
        if not self._head:
            self._begin()
        if choice in self._spoke:
            return b""
        self._spoke.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _chunk(
        self,
        choice: int,
        delta: dict[str, Any],
        finish_reason: str | None = None,
        metadata: bytes = b"",
        *,
        logprobs: list[Any] | None = None,
    ) -> bytes:
        listed = {"content": logprobs, "refusal": None} if logprobs else None
        said = {"index": choice, "delta": delta, "logprobs": listed, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._head, "choices": [said]}
        if self._wants_usage:
            chunk["usage"] = None
        if metadata:
            chunk["brokle"] = msgspec.Raw(metadata)
        return written(_encode(chunk))


def _delta(event: Event) -> dict[str, Any] | None:  # noqa: PLR0911 - one line for each kind of event
    if isinstance(event, TextPiece):
        return {"content": event.text}
    if isinstance(event, ThoughtPiece):
        return _thought(event)
    if isinstance(event, RefusalPiece):
        return {"refusal": event.text}
    if isinstance(event, ToolBegun):
        function = {"name": event.name, "arguments": ""}
        call = {"index": event.index, "id": event.id, "type": "function", "function": function}
        return {"tool_calls": [with_seal(call, event.signature)]}
    if isinstance(event, ArgumentsPiece):
        return {"tool_calls": [{"index": event.index, "function": {"arguments": event.text}}]}
    if isinstance(event, MediaPiece) and event.media.kind == "image":
        return {"images": [image_of(event.media)]}
    return None


def _thought(piece: ThoughtPiece) -> dict[str, Any]:
    if piece.sealed:
        return {"thinking_blocks": [{"type": "redacted_thinking", "data": piece.sealed}]}
    if piece.signature:
        return {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": piece.signature}]}
    return {"reasoning_content": piece.text}
