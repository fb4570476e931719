"""Cohere's streams: read into events."""

from typing import Final

import msgspec

from apps.routing.edge.dialects.cohere.replies import Call, Content, begun, said
from apps.routing.edge.dialects.cohere.wire import FAILED, WireUsage, finish_of
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import ArgumentsPiece, Begun, Event, Failed, Finished, ThoughtPiece, Used


class _Message(msgspec.Struct):
    content: Content | list[Content] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Call] | None = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: str | None = None
    usage: WireUsage | None = None


class _StreamEvent(msgspec.Struct):
    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None


_DONE: Final = b"[DONE]"
_decode: Final = msgspec.json.Decoder(_StreamEvent).decode


class ChatReader:
    __slots__ = ("_calls", "_events", "_silent", "is_complete")

    def __init__(self) -> None:
        self._events = Events()
        self._calls: dict[int, int] = {}
        self._silent: set[int] = set()
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for _, data in self._events.feed(chunk) if data != _DONE for event in self._read(data)]

    def finish(self) -> list[Event]:
        return [event for _, data in self._events.finish() if data != _DONE for event in self._read(data)]

    def _read(self, data: bytes) -> list[Event]:
        told = _decode(data)
        delta = told.delta or _Delta()
        message = delta.message or _Message()
        if told.type in {"content-start", "content-delta"} and isinstance(message.content, Content):
            return said(message.content)
        if told.type == "tool-plan-delta" and message.tool_plan:
            return [ThoughtPiece(message.tool_plan)]
        if told.type.startswith("tool-call-"):
            return self._call(told, message.tool_calls if isinstance(message.tool_calls, Call) else None)
        if told.type == "message-start":
            return [Begun(told.id or "")]
        return self._end(delta) if told.type == "message-end" else []

    def _call(self, told: _StreamEvent, call: Call | None) -> list[Event]:
        """A call without arguments says nothing of them."""
        if told.type == "tool-call-end":
            is_silent = told.index in self._silent
            self._silent.discard(told.index)
            return [ArgumentsPiece(self._calls[told.index], "{}")] if is_silent else []
        events: list[Event] = []
        if call is not None and told.index not in self._calls:
            self._calls[told.index] = len(self._calls)
            self._silent.add(told.index)
            events.append(begun(self._calls[told.index], call))
        arguments = call.function.arguments if call is not None and call.function is not None else None
        if arguments:
            self._silent.discard(told.index)
            events.append(ArgumentsPiece(self._calls[told.index], arguments))
        return events

    def _end(self, delta: _Delta) -> list[Event]:
        if delta.error or delta.finish_reason in FAILED:
            return [Failed(delta.error or "The answer ended in an error", "server_error", delta.finish_reason)]
        self.is_complete = True
        usage = delta.usage.buckets() if delta.usage is not None else None
        events: list[Event] = [Finished(finish_of(delta.finish_reason))]
        return events if usage is None else [*events, Used(usage)]
