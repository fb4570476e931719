"""Ollama's answers, whole or one line of a stream: read into events."""

from typing import Any, Final

import msgspec

from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Failed,
    Finish,
    Finished,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id

_NEWLINE: Final = b"\n"
_LARGEST_LINE: Final = 8 * 1024 * 1024


class _Function(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Answer(msgspec.Struct):
    message: _Message | None = None
    model: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[Any] | None = None
    """In OpenAI's form."""
    error: str | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read_whole(body: bytes) -> WholeReply:
    lines = Lines()
    events = lines.read(body)
    if not lines.is_complete:
        raise msgspec.ValidationError("an answer is done")
    return WholeReply(events)


class Lines:
    """What came so far; calls are counted, since their ends are told like any other."""

    __slots__ = ("_begun", "_calls", "_rest", "is_complete")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = False
        self._calls = 0
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        lines: list[bytes] = []
        if _NEWLINE in chunk:
            *lines, chunk = (bytes(self._rest) + chunk).split(_NEWLINE)
            self._rest.clear()
        self._rest += chunk
        if len(self._rest) > _LARGEST_LINE:
            raise msgspec.DecodeError("a line has no end")
        return [event for line in lines if line.strip() for event in self.read(line)]

    def finish(self) -> list[Event]:
        rest, self._rest = bytes(self._rest), bytearray()
        return self.read(rest) if rest.strip() else []

    def read(self, line: bytes) -> list[Event]:
        answer = _decode(line)
        if answer.error is not None:
            return [Failed(answer.error)]
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            events.append(Begun(model=answer.model or ""))
        message = answer.message or _Message()
        if message.thinking:
            events.append(ThoughtPiece(message.thinking))
        if message.content or answer.logprobs:
            events.append(TextPiece(message.content or "", logprobs=answer.logprobs))
        for call in message.tool_calls or ():
            events += self._call(call)
        return events + (self._end(answer) if answer.done else [])

    def _call(self, call: _Call) -> list[Event]:
        """Not every version gives an id; a caller needs one to give the result back."""
        index, self._calls = self._calls, self._calls + 1
        arguments = bytes(call.function.arguments).decode()
        begun = ToolBegun(index, call.id or new_id("call"), call.function.name)
        return [begun, ArgumentsPiece(index, "{}" if arguments == "null" else arguments)]

    def _end(self, answer: _Answer) -> list[Event]:
        self.is_complete = True
        finish: Finish = "length" if answer.done_reason == "length" else "tool_calls" if self._calls else "stop"
        usage = Usage(input=answer.prompt_eval_count or 0, output=answer.eval_count or 0)
        return [Finished(finish), Used(usage)]
