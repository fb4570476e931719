"""A prediction that was asked for: waited for whole, or listened to while it is made."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import msgspec

from apps.routing.edge.courses import FIRST_PAUSE_S, Course, later, pauses
from apps.routing.edge.dialects.replicate.replies import PREDICTION
from apps.routing.edge.dialects.replicate.wire import SUCCEEDED, text_of
from apps.routing.edge.dialects.signing import Pairs
from apps.routing.edge.dialects.sse import Events, EventTooLarge
from apps.routing.edge.doors import Answer, Door
from brokle.edge.egress import Limits
from brokle.kernel.errors import BrokleError, UpstreamFailed

WAIT: Final[Pairs] = (("prefer", "wait=10"),)
"""So long an answer is waited for before it is asked about: whoever leaves meanwhile is noticed only after it."""
_encode: Final = msgspec.json.Encoder().encode


async def followed(
    asking: Coroutine[Any, Any, Answer], door: Door, base_url: str, limits: Limits, *, is_stream: bool
) -> Answer:
    """From the first answer to the last one, or to the stream of what comes. Raises as any call does."""
    ends_at = asyncio.get_running_loop().time() + limits.total_s
    task = asyncio.get_running_loop().create_task(_first(asking))
    try:
        first, raw = await asyncio.shield(task)
    except asyncio.CancelledError:
        later(_called_off(task, door, base_url, ends_at))
        raise
    if first.status >= 400:
        return first
    course = Course(door, base_url, ends_at, raw)
    try:
        return await Listening.begun(course) if is_stream else await course.whole()
    except BaseException:
        course.call_off()
        raise


class Listening:
    """What a prediction says while it is made: from its stream where there is one, else from look to look.

    How a stream ends is only a hint: the prediction says how it went, and the rest where that broke off.
    """

    __slots__ = ("_course", "_events", "_is_ended", "_pauses", "_said", "_source", "status")

    def __init__(self, course: Course, source: Answer | None) -> None:
        self.status = 200
        self._course = course
        self._source = source
        self._events = Events()
        self._pauses = pauses()
        self._said = ""
        self._is_ended = False

    @classmethod
    async def begun(cls, course: Course) -> "Listening":
        return cls(course, None if course.prediction.is_over else await course.listen())

    def header(self, name: str, default: str = "") -> str:
        return default

    async def next_chunk(self) -> bytes:
        while not self._is_ended:
            out = await (self._looked() if self._source is None else self._heard(self._source))
            if out:
                return out
        return b""

    async def read(self, *, decode: bool = False) -> bytes:
        pieces = []
        while chunk := await self.next_chunk():
            pieces.append(chunk)
        return b"".join(pieces)

    def close(self) -> None:
        self._stop_listening()
        if not self._is_ended:
            self._course.call_off()
        self._is_ended = True

    async def _heard(self, source: Answer) -> bytes:
        try:
            events = self._events.feed(chunk := await source.next_chunk())
        except (UpstreamFailed, EventTooLarge):
            self._stop_listening()
            return b""
        out = b""
        for name, data in events:
            if name == b"output":
                self._said += data.decode(errors="replace")
                out += event(name, data)
            elif name in {b"done", b"error"}:
                self._stop_listening()
                break
        if not chunk:
            self._stop_listening()
        return out

    async def _looked(self) -> bytes:
        """The first look is at once: a stream that is done is of a prediction that is over."""
        if not self._course.prediction.is_over:
            pause_s = next(self._pauses)
            await (self._course.look() if pause_s == FIRST_PAUSE_S else self._course.look_after(pause_s))
        prediction = self._course.prediction
        if prediction.is_over and prediction.status != SUCCEEDED and not self._said:
            raise UpstreamFailed(prediction.failure)
        whole = text_of(prediction.output)
        rest = whole.removeprefix(self._said) if whole.startswith(self._said) else ""
        self._said += rest
        out = event(b"output", rest.encode()) if rest else b""
        if prediction.is_over:
            self._is_ended = True
            out += event(PREDICTION, _encode(msgspec.Raw(self._course.raw)))
        return out

    def _stop_listening(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None


def event(name: bytes, data: bytes) -> bytes:
    lines = b"".join(b"data: %b\n" % line for line in data.replace(b"\r", b"\n").split(b"\n"))
    return b"event: %b\n%b\n" % (name, lines)


async def _first(asking: Coroutine[Any, Any, Answer]) -> tuple[Answer, bytes]:
    """With what it says, unless that is a refusal, which is read as any other."""
    answer = await asking
    return answer, await answer.read() if answer.status < 400 else b""


async def _called_off(asking: "asyncio.Task[tuple[Answer, bytes]]", door: Door, base_url: str, ends_at: float) -> None:
    """Its name is known only with the first answer, so that one is waited for."""
    with suppress(BrokleError):
        first, raw = await asking
        if first.status >= 400:
            first.close()
            return
        course = Course(door, base_url, ends_at, raw)
        if not course.prediction.is_over:
            await course.called_off()
