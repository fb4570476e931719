"""Converse's whole answers: read into events."""

from typing import Final

import msgspec

from apps.routing.edge.conversation import Media
from apps.routing.edge.dialects.anthropic.wire import ANSWER_TOOL
from apps.routing.edge.dialects.bedrock.wire import WireUsage, finish_of
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Finished,
    MediaPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)


class ToolUse(msgspec.Struct, rename="camel"):
    """With a `type` it ran at Bedrock, and is no call to anybody."""

    tool_use_id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    type: str | None = None


class _ReasoningText(msgspec.Struct):
    text: str | None = None
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Source(msgspec.Struct):
    bytes: str | None = None


class Image(msgspec.Struct):
    format: str = "png"
    source: _Source | None = None


class _Said(msgspec.Struct):
    text: str | None = None


class _Cited(msgspec.Struct):
    content: list[_Said] | None = None


class _Block(msgspec.Struct, rename="camel"):
    """What ran at Bedrock, and where an answer took something from, have no events."""

    text: str | None = None
    tool_use: ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None
    image: Image | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class Extra(msgspec.Struct):
    stop_sequence: str | None = None


class _Reply(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str | None = None
    usage: WireUsage | None = None
    additional_model_response_fields: Extra | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


def read_whole(body: bytes) -> WholeReply:
    reply = _decode(body)
    events: list[Event] = [Begun()]
    calls = 0
    for block in reply.output.message.content:
        found = _block_events(block, calls)
        calls += any(isinstance(event, ToolBegun) for event in found)
        events += found
    events.append(ending(reply.stop_reason, reply.additional_model_response_fields, has_calls=calls > 0))
    if reply.usage is not None:
        events.append(Used(reply.usage.buckets()))
    return WholeReply(events)


def ending(reason: str | None, extra: Extra | None, *, has_calls: bool) -> Finished:
    sequence = extra.stop_sequence if extra is not None else None
    return Finished(finish_of(reason, has_calls=has_calls), stop_sequence=sequence or "")


def drawn(image: Image) -> list[Event]:
    data = image.source.bytes if image.source is not None else None
    return [MediaPiece(Media("image", f"image/{image.format}", data))] if data else []


def thought(text: str | None, signature: str | None, sealed: str | None) -> list[Event]:
    events: list[Event] = [ThoughtPiece(text)] if text else []
    events += [ThoughtPiece(signature=signature)] if signature else []
    return events + ([ThoughtPiece(sealed=sealed)] if sealed else [])


def _block_events(block: _Block, index: int) -> list[Event]:
    """`index` is the number of tool calls before."""
    if block.tool_use is not None:
        return _call(block.tool_use, index)
    if block.reasoning_content is not None:
        held = block.reasoning_content.reasoning_text or _ReasoningText()
        return thought(held.text, held.signature, block.reasoning_content.redacted_content)
    if block.citations_content is not None:
        return [TextPiece(said.text) for said in block.citations_content.content or () if said.text]
    if block.image is not None:
        return drawn(block.image)
    return [TextPiece(block.text)] if block.text else []


def _call(call: ToolUse, index: int) -> list[Event]:
    arguments = bytes(call.input).decode()
    if call.type:
        return []
    if call.name == ANSWER_TOOL:
        return [TextPiece(arguments)]
    return [ToolBegun(index, call.tool_use_id, call.name), ArgumentsPiece(index, arguments)]
