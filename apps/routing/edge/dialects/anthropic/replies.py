"""Anthropic's whole answers: read into events, and written from them."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.anthropic.blocks import input_of
from apps.routing.edge.dialects.anthropic.wire import (
    ANSWER_TOOL,
    WireUsage,
    finish_of,
    said_finish,
    whole_usage_object,
)
from apps.routing.edge.dialects.seals import sealed_by_google
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Finish,
    Finished,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id


class StopDetails(msgspec.Struct):
    explanation: str | None = None


class Block(msgspec.Struct):
    """One block, whole or as it begins in a stream. Blocks of tools that ran at Anthropic have no events."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Message(msgspec.Struct):
    content: list[Block]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(Message).decode


def read_whole(body: bytes) -> WholeReply:
    message = _decode(body)
    events: list[Event] = [Begun(message.id or "", message.model or "")]
    calls = 0
    for block in message.content:
        found = block_events(block, calls)
        calls += any(isinstance(event, ToolBegun) for event in found)
        events += found
    events += ending(message.stop_reason, message.stop_sequence, message.stop_details, has_calls=calls > 0)
    if message.usage is not None:
        events.append(Used(message.usage.buckets()))
    return WholeReply(events)


def block_events(block: Block, index: int) -> list[Event]:
    """`index` is the number of tool calls before."""
    if block.type == "tool_use" and block.name == ANSWER_TOOL:
        return [TextPiece(bytes(block.input).decode())]
    if block.type == "tool_use":
        arguments = bytes(block.input).decode()
        return [ToolBegun(index, block.id or "", block.name or ""), ArgumentsPiece(index, arguments)]
    if block.type == "redacted_thinking":
        return [ThoughtPiece(sealed=block.data or "")]
    pieces: list[Event] = [TextPiece(block.text)] if block.text else []
    pieces += [ThoughtPiece(block.thinking)] if block.thinking else []
    return pieces + ([ThoughtPiece(signature=block.signature)] if block.signature else [])


def ending(reason: str | None, sequence: str | None, details: StopDetails | None, *, has_calls: bool) -> list[Event]:
    """An answer that was given as a tool's input is no call of a tool to the caller."""
    finish = finish_of(reason)
    if finish == "tool_calls" and not has_calls:
        finish = "stop"
    explained = details is not None and details.explanation
    events: list[Event] = [RefusalPiece(details.explanation or "")] if explained and details else []
    return [*events, Finished(finish, stop_sequence=sequence or "")]


def write_whole(reply: WholeReply, asked: str) -> bytes:
    written = _Written()
    head, usage = "", Usage()
    for event in reply.events:
        if isinstance(event, Begun):
            head = event.id
        elif isinstance(event, Used):
            usage = event.usage
        elif getattr(event, "choice", 0) == 0:
            written.take(event)
    message = {
        "id": head or new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": asked,
        "content": written.content(),
        **written.stop(),
        "usage": whole_usage_object(usage),
    }
    return msgspec.json.encode(message)


class _Written:
    """One answer in the making: pieces of one kind become one block."""

    __slots__ = ("_blocks", "_calls", "_finished", "_refused")

    def __init__(self) -> None:
        self._blocks: list[dict[str, Any]] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finished = Finished("stop")
        self._refused = False

    def take(self, event: Event) -> None:
        if isinstance(event, TextPiece | RefusalPiece):
            self._refused |= isinstance(event, RefusalPiece)
            if event.text:
                self._last("text", text="")["text"] += event.text
        elif isinstance(event, ThoughtPiece):
            self._thought(event)
        elif isinstance(event, ToolBegun):
            if event.signature:
                self._thought(ThoughtPiece(signature=sealed_by_google(event.signature)))
            call = {"type": "tool_use", "id": event.id, "name": event.name, "input": ""}
            self._blocks.append(call)
            self._calls[event.index] = call
        elif isinstance(event, ArgumentsPiece):
            self._calls[event.index]["input"] += event.text
        elif isinstance(event, Finished):
            self._finished = event

    def content(self) -> list[dict[str, Any]]:
        return [
            {**block, "input": input_of(block["input"])} if block["type"] == "tool_use" else block
            for block in self._blocks
        ]

    def stop(self) -> dict[str, Any]:
        return stop_of(self._finished, has_calls=bool(self._calls), is_refused=self._refused)

    def _thought(self, piece: ThoughtPiece) -> None:
        if piece.sealed:
            self._blocks.append({"type": "redacted_thinking", "data": piece.sealed})
            return
        block = self._last("thinking", thinking="", signature="")
        block["thinking"] += piece.text
        block["signature"] += piece.signature

    def _last(self, kind: str, **empty: str) -> dict[str, Any]:
        """A thought that is signed is complete."""
        last = self._blocks[-1] if self._blocks else {}
        if last.get("type") != kind or last.get("signature"):
            last = {"type": kind, **empty}
            self._blocks.append(last)
        return last


def stop_of(finished: Finished, *, has_calls: bool, is_refused: bool) -> dict[str, Any]:
    """Servers differ in what they call the end of an answer that calls tools; here it has but one name."""
    finish: Finish = finished.reason
    if finish == "stop" and (has_calls or is_refused):
        finish = "tool_calls" if has_calls else "refusal"
    return {"stop_reason": said_finish(finish), "stop_sequence": finished.stop_sequence or None}
