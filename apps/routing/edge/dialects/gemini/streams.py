"""Gemini's streams: read into events."""

from apps.routing.edge.dialects.gemini.replies import Candidates, decode_answer
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import Event


class GenerateReader:
    """Each event is an answer of its own, with what is new; none says that it is the last but by its finish reason."""

    __slots__ = ("_candidates", "_events")

    def __init__(self) -> None:
        self._events = Events()
        self._candidates = Candidates()

    @property
    def is_complete(self) -> bool:
        return self._candidates.is_complete

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for _, data in self._events.feed(chunk) for event in self._read(data)]

    def finish(self) -> list[Event]:
        return [event for _, data in self._events.finish() for event in self._read(data)]

    def _read(self, data: bytes) -> list[Event]:
        return self._candidates.read(decode_answer(data))
