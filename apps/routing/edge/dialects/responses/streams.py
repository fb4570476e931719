"""Answers in OpenAI's Responses form, whole or as a stream; both are told by the same output in the making."""

from typing import Any, Final, Protocol

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.dialects.responses.names import own_names
from apps.routing.edge.dialects.responses.objects import brought_in, head_of, tools_in
from apps.routing.edge.dialects.responses.output import Output, Told
from apps.routing.edge.dialects.responses.wire import error_event
from apps.routing.edge.dialects.sse import written
from apps.routing.edge.reply import Begun, Event, Failed, Finished, Used, WholeReply
from apps.routing.edge.splice import members_of
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.Encoder().encode


class Course(Protocol):
    """A stream under way: the number of its next event, and its answer as far as it came."""

    number: int

    def failed(self, failure: Failed) -> Told | None:
        """None before the answer has begun."""


def output_of(ask: Ask) -> Output:
    said = members_of(ask.body)
    is_single = bytes(said.get("parallel_tool_calls", b"")) == b"false"
    return Output(head_of(ask), own_names([*tools_in(said), *brought_in(said)]), is_single=is_single)


def write_whole(reply: WholeReply, ask: Ask) -> bytes:
    output, finished, usage = output_of(ask), Finished("stop"), Usage()
    for event in reply.events:
        if isinstance(event, Finished) and event.choice == 0:
            finished = event
        elif isinstance(event, Used):
            usage = event.usage
        else:
            output.take(event)
    output.end(finished.reason, usage)
    return _encode(output.head)


class ResponsesWriter:
    """Every event is numbered, and says by its place in the output what it is about."""

    __slots__ = ("_output", "number")

    def __init__(self, ask: Ask) -> None:
        self._output = output_of(ask)
        self.number = 0

    def write(self, event: Event) -> bytes:
        return self._begin() + (b"" if isinstance(event, Begun) else self._told(self._output.take(event)))

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        last = next((one for one in finished if one.choice == 0), Finished("stop"))
        out = self._begin() + self._told(self._output.end(last.reason, usage))
        head = self._output.head
        said: dict[str, Any] = {"type": f"response.{head['status']}", "response": head}
        return out + self._event(said | ({"brokle": msgspec.Raw(metadata)} if metadata else {}))

    def fail(self, failure: Failed) -> bytes:
        return ending(self, failure)

    def failed(self, failure: Failed) -> Told | None:
        return self._output.fail(failure) if self.number else None

    def _begin(self) -> bytes:
        if self.number:
            return b""
        head = {**self._output.head}
        return self._told([{"type": f"response.{word}", "response": head} for word in ("created", "in_progress")])

    def _told(self, events: list[Told]) -> bytes:
        return b"".join([self._event(event) for event in events])

    def _event(self, said: Told) -> bytes:
        numbered = {"type": said["type"], "sequence_number": self.number, **said}
        self.number += 1
        return written(_encode(numbered), said["type"].encode())


class Ending:
    """Tells of the failure of a stream that somebody else has carried so far."""

    __slots__ = ("_course",)

    def __init__(self, course: Course) -> None:
        self._course = course

    def write(self, event: Event) -> bytes:
        return b""

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        return b""

    def fail(self, failure: Failed) -> bytes:
        return ending(self._course, failure)


def ending(course: Course, failure: Failed) -> bytes:
    """The answer that failed, for those who follow answers; then the error, at which SDKs raise."""
    held, out = course.failed(failure), b""
    if held is not None:
        said = {"type": "response.failed", "sequence_number": course.number, "response": held}
        out, course.number = written(_encode(said), b"response.failed"), course.number + 1
    return out + written(_encode(error_event(failure, course.number)), b"error")
