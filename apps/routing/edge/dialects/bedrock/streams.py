"""ConverseStream's frames: read into events."""

from typing import Final

import msgspec

from apps.routing.edge.dialects.anthropic.wire import ANSWER_TOOL
from apps.routing.edge.dialects.bedrock.frames import Frame, Frames
from apps.routing.edge.dialects.bedrock.replies import Extra, Image, ToolUse, drawn, ending, thought
from apps.routing.edge.dialects.bedrock.wire import WireUsage, exception_of
from apps.routing.edge.reply import ArgumentsPiece, Begun, Event, TextPiece, ToolBegun, Used


class _Start(msgspec.Struct, rename="camel"):
    tool_use: ToolUse | None = None
    image: Image | None = None


class _ToolPiece(msgspec.Struct):
    input: str = ""


class _ReasoningPiece(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    """Where an answer took something from has no event."""

    text: str | None = None
    tool_use: _ToolPiece | None = None
    reasoning_content: _ReasoningPiece | None = None
    image: Image | None = None


class _Told(msgspec.Struct, rename="camel"):
    """The members of all kinds of events; the frame says which it is."""

    content_block_index: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    additional_model_response_fields: Extra | None = None
    usage: WireUsage | None = None


class _Call:
    """A tool's call as it arrives; `index` counts calls, None is the answer itself."""

    __slots__ = ("has_spoken", "index")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.has_spoken = False

    def says(self, text: str) -> list[Event]:
        if not text:
            return []
        self.has_spoken = True
        return [TextPiece(text) if self.index is None else ArgumentsPiece(self.index, text)]


_decode: Final = msgspec.json.Decoder(_Told).decode


class ConverseReader:
    __slots__ = ("_calls", "_count", "_forms", "_frames", "is_complete")

    def __init__(self) -> None:
        self._frames = Frames()
        self._calls: dict[int, _Call] = {}
        self._forms: dict[int, str] = {}
        self._count = 0
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for frame in self._frames.feed(chunk) for event in self._read(frame)]

    def finish(self) -> list[Event]:
        """Usage comes after the end that the model said, so that a piece of a frame may still be what is missing."""
        self.is_complete = self.is_complete and self._frames.is_empty
        return []

    def _read(self, frame: Frame) -> list[Event]:
        kind = frame.headers.get(":event-type", "")
        if frame.headers.get(":message-type", "event") != "event":
            name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or ""
            return [exception_of(name, frame.payload or frame.headers.get(":error-message", "").encode())]
        if kind == "contentBlockDelta":
            told = _decode(frame.payload)
            return [] if told.delta is None else self._piece(told.content_block_index, told.delta)
        if kind == "contentBlockStart":
            told = _decode(frame.payload)
            return [] if told.start is None else self._begin(told.content_block_index, told.start)
        if kind == "contentBlockStop":
            return self._end(_decode(frame.payload).content_block_index)
        return self._about_message(kind, frame.payload)

    def _about_message(self, kind: str, payload: bytes) -> list[Event]:
        if kind == "messageStart":
            return [Begun()]
        if kind == "messageStop":
            told = _decode(payload)
            self.is_complete = True
            extra = told.additional_model_response_fields
            return [ending(told.stop_reason, extra, has_calls=self._count > 0)]
        if kind == "metadata":
            usage = _decode(payload).usage
            return [] if usage is None else [Used(usage.buckets())]
        return []

    def _begin(self, index: int, start: _Start) -> list[Event]:
        if start.image is not None:
            self._forms[index] = start.image.format
        call = start.tool_use
        if call is None or call.type:
            return []
        if call.name == ANSWER_TOOL:
            self._calls[index] = _Call(None)
            return []
        self._calls[index] = _Call(self._count)
        self._count += 1
        return [ToolBegun(self._count - 1, call.tool_use_id, call.name)]

    def _piece(self, index: int, delta: _Delta) -> list[Event]:
        if delta.text:
            return [TextPiece(delta.text)]
        if delta.tool_use is not None:
            return self._calls[index].says(delta.tool_use.input) if index in self._calls else []
        if delta.reasoning_content is not None:
            held = delta.reasoning_content
            return thought(held.text, held.signature, held.redacted_content)
        if delta.image is not None:
            return drawn(Image(self._forms.get(index, "png"), delta.image.source))
        return []

    def _end(self, index: int) -> list[Event]:
        """A call without arguments says nothing of them."""
        call = self._calls.get(index)
        return [] if call is None or call.has_spoken else call.says("{}")
