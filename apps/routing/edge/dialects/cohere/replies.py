"""Cohere's whole answers: read into events. Where an answer took something from has none."""

from typing import Final

import msgspec

from apps.routing.edge.dialects.cohere.wire import FAILED, WireUsage, finish_of
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Finished,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct):
    id: str | None = None
    function: Function | None = None


class Content(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    content: list[Content] | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None


class _Reply(msgspec.Struct):
    message: _Message
    id: str | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


def read_whole(body: bytes) -> WholeReply:
    reply = _decode(body)
    if reply.finish_reason in FAILED:
        raise msgspec.ValidationError("the answer ended in an error")
    events: list[Event] = [Begun(reply.id or "")]
    if reply.message.tool_plan:
        events.append(ThoughtPiece(reply.message.tool_plan))
    for content in reply.message.content or ():
        events += said(content)
    for index, call in enumerate(reply.message.tool_calls or ()):
        function = call.function or Function()
        events += [begun(index, call), ArgumentsPiece(index, function.arguments or "{}")]
    events.append(Finished(finish_of(reply.finish_reason)))
    usage = reply.usage.buckets() if reply.usage is not None else None
    return WholeReply(events if usage is None else [*events, Used(usage)])


def said(content: Content) -> list[Event]:
    events: list[Event] = [ThoughtPiece(content.thinking)] if content.thinking else []
    return events + ([TextPiece(content.text)] if content.text else [])


def begun(index: int, call: Call) -> ToolBegun:
    return ToolBegun(index, call.id or "", (call.function.name or "") if call.function is not None else "")
