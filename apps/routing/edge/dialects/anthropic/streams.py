"""Anthropic's streams: read into events, and written from them."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.anthropic.replies import Block, StopDetails, block_events, ending, stop_of
from apps.routing.edge.dialects.anthropic.wire import (
    ANSWER_TOOL,
    WireUsage,
    error_object,
    refusal_of,
    usage_object,
    whole_usage_object,
)
from apps.routing.edge.dialects.seals import sealed_by_google
from apps.routing.edge.dialects.sse import Events, written
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Failed,
    Finished,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id


class _Start(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: WireUsage | None = None


class _Delta(msgspec.Struct):
    """Of a block or of the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _StreamEvent(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Start | None = None
    content_block: Block | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None


class _Call:
    """A tool's call as it arrives; `index` counts calls, None is the answer itself."""

    __slots__ = ("given", "has_spoken", "index")

    def __init__(self, index: int | None, given: str) -> None:
        self.index = index
        self.given = given
        self.has_spoken = False

    def says(self, text: str) -> list[Event]:
        if not text:
            return []
        self.has_spoken = True
        return [TextPiece(text) if self.index is None else ArgumentsPiece(self.index, text)]


_decode: Final = msgspec.json.Decoder(_StreamEvent).decode
_encode: Final = msgspec.json.Encoder().encode


class MessagesReader:
    __slots__ = ("_calls", "_count", "_events", "_usage", "is_complete")

    def __init__(self) -> None:
        self._events = Events()
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._usage: WireUsage | None = None
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for _, data in self._events.feed(chunk) for event in self._read(data)]

    def finish(self) -> list[Event]:
        return [event for _, data in self._events.finish() for event in self._read(data)]

    def _read(self, data: bytes) -> list[Event]:
        said = _decode(data)
        if said.type == "content_block_delta" and said.delta is not None:
            return self._piece(said.index, said.delta)
        if said.type == "content_block_start" and said.content_block is not None:
            return self._begin(said.index, said.content_block)
        if said.type == "content_block_stop":
            return self._end(said.index)
        if said.type == "error":
            return [refusal_of(502, data)]
        return self._about_message(said)

    def _about_message(self, said: _StreamEvent) -> list[Event]:
        events: list[Event] = []
        if said.type == "message_start" and said.message is not None:
            begun = Begun(said.message.id or "", said.message.model or "")
            events += [begun, *self._used(said.message.usage, is_estimated=True)]
        elif said.type == "message_delta":
            events += self._used(said.usage)
            if said.delta is not None and said.delta.stop_reason:
                self.is_complete = True
                delta = said.delta
                has_calls = self._count > 0
                events += ending(delta.stop_reason, delta.stop_sequence, delta.stop_details, has_calls=has_calls)
        elif said.type == "message_stop":
            self.is_complete = True
        return events

    def _used(self, usage: WireUsage | None, *, is_estimated: bool = False) -> list[Event]:
        """At the beginning the input is known, the output is not."""
        if usage is None:
            return []
        self._usage = usage.over(self._usage)
        return [Used(msgspec.structs.replace(self._usage.buckets(), is_estimated=is_estimated))]

    def _begin(self, index: int, block: Block) -> list[Event]:
        if block.type != "tool_use":
            return block_events(block, 0)
        given = bytes(block.input).decode()
        if block.name == ANSWER_TOOL:
            self._calls[index] = _Call(None, given)
            return []
        self._calls[index] = _Call(self._count, given)
        self._count += 1
        return [ToolBegun(self._count - 1, block.id or "", block.name or "")]

    def _piece(self, index: int, delta: _Delta) -> list[Event]:
        if delta.type == "text_delta" and delta.text:
            return [TextPiece(delta.text)]
        if delta.type == "input_json_delta" and index in self._calls:
            return self._calls[index].says(delta.partial_json or "")
        if delta.type == "thinking_delta" and delta.thinking:
            return [ThoughtPiece(delta.thinking)]
        if delta.type == "signature_delta" and delta.signature:
            return [ThoughtPiece(signature=delta.signature)]
        return []

    def _end(self, index: int) -> list[Event]:
        """Arguments that came with the beginning, or not at all, are said before the end."""
        call = self._calls.get(index)
        return [] if call is None or call.has_spoken else call.says(call.given)


class MessagesWriter:
    """One block is open at a time. What belongs to a later block while a call's arguments are unfinished waits."""

    __slots__ = (
        "_arguments",
        "_asked",
        "_estimate",
        "_has_begun",
        "_index",
        "_kind",
        "_refused",
        "_tool",
        "_tools",
        "_waiting",
    )

    def __init__(self, asked: str, estimate: int) -> None:
        """`estimate` is the size of the input until the provider says it, which some do only at the end."""
        self._asked = asked
        self._estimate = estimate
        self._has_begun = False
        self._index = -1
        self._kind = ""
        self._tool = -1
        self._arguments = ""
        self._tools = 0
        self._refused = False
        self._waiting: list[Event] = []

    def write(self, event: Event) -> bytes:
        if getattr(event, "choice", 0) != 0:
            return b""
        if isinstance(event, Begun):
            return self._begin(event.id)
        queue, self._waiting = [*self._waiting, event], []
        out = b""
        for held in queue:
            if self._must_wait(held):
                self._waiting.append(held)
            else:
                out += self._say(held)
        return out

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        out = self._begin() + self._rest() + self._close()
        last = next((one for one in finished if one.choice == 0), Finished("stop"))
        stop = stop_of(last, has_calls=self._tools > 0, is_refused=self._refused)
        said: dict[str, Any] = {"type": "message_delta", "delta": stop, "usage": usage_object(usage)}
        if metadata:
            said["brokle"] = msgspec.Raw(metadata)
        return out + _event(said) + _event({"type": "message_stop"})

    def fail(self, failure: Failed) -> bytes:
        return written(error_object(failure), b"error")

    def _begin(self, message_id: str = "") -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        message: dict[str, Any] = {
            "id": message_id or new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": self._asked,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": whole_usage_object(Usage(input=self._estimate, output=1)),
        }
        return _event({"type": "message_start", "message": message}) + _event({"type": "ping"})

    def _must_wait(self, event: Event) -> bool:
        if self._kind != "tool_use":
            return False
        if isinstance(event, ArgumentsPiece) and event.index == self._tool:
            return False
        return bool(self._waiting) or not _is_whole(self._arguments)

    def _rest(self) -> bytes:
        """What waited until the end, each call with all of its arguments together."""
        out = b""
        for held in self._waiting:
            if not isinstance(held, ArgumentsPiece):
                out += self._say(held)
            if isinstance(held, ToolBegun):
                pieces = [one for one in self._waiting if isinstance(one, ArgumentsPiece) and one.index == held.index]
                out += b"".join(self._say(piece) for piece in pieces)
        return out

    def _say(self, event: Event) -> bytes:
        if isinstance(event, TextPiece | RefusalPiece):
            self._refused |= isinstance(event, RefusalPiece)
            return self._piece("text", {"text": ""}, {"type": "text_delta", "text": event.text}) if event.text else b""
        if isinstance(event, ThoughtPiece):
            return self._thought(event)
        if isinstance(event, ToolBegun):
            seal = ThoughtPiece(signature=sealed_by_google(event.signature)) if event.signature else None
            thought = b"" if seal is None else self._thought(seal)
            self._tool, self._arguments, self._tools = event.index, "", self._tools + 1
            return thought + self._open("tool_use", {"id": event.id, "name": event.name, "input": {}})
        if isinstance(event, ArgumentsPiece) and event.index == self._tool and self._kind == "tool_use":
            self._arguments += event.text
            return self._delta({"type": "input_json_delta", "partial_json": event.text})
        return b""

    def _thought(self, piece: ThoughtPiece) -> bytes:
        empty = {"thinking": "", "signature": ""}
        if piece.sealed:
            return self._open("redacted_thinking", {"data": piece.sealed}) + self._close()
        if piece.signature:
            return (
                self._piece("thinking", empty, {"type": "signature_delta", "signature": piece.signature})
                + self._close()
            )
        return self._piece("thinking", empty, {"type": "thinking_delta", "thinking": piece.text})

    def _piece(self, kind: str, empty: dict[str, str], delta: dict[str, Any]) -> bytes:
        opening = b"" if self._kind == kind else self._open(kind, empty)
        return opening + self._delta(delta)

    def _open(self, kind: str, block: dict[str, Any]) -> bytes:
        out = self._begin() + self._close()
        self._index += 1
        self._kind = kind
        content = {"type": kind, **block}
        return out + _event({"type": "content_block_start", "index": self._index, "content_block": content})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        if not self._kind:
            return b""
        self._kind = ""
        return _event({"type": "content_block_stop", "index": self._index})


def _event(said: dict[str, Any]) -> bytes:
    return written(_encode(said), said["type"].encode())


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
