"""Predictions that are over, and the streams of those under way: read into events."""

from typing import Final

import msgspec

from apps.routing.edge.dialects.replicate.wire import SUCCEEDED, Prediction, decode_prediction, text_of
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import Begun, Event, Failed, Finished, TextPiece, Used, WholeReply

PREDICTION: Final = b"prediction"
"""What we put behind Replicate's own events: the prediction as it ended, which alone says what was used."""


def read_whole(body: bytes) -> WholeReply:
    prediction = decode_prediction(body)
    if prediction.status != SUCCEEDED:
        raise msgspec.ValidationError("a prediction succeeds")
    begun = Begun(prediction.id, prediction.model or "")
    return WholeReply([begun, TextPiece(text_of(prediction.output)), *_ended(prediction)])


class PredictionReader:
    __slots__ = ("_events", "_is_begun", "is_complete")

    def __init__(self) -> None:
        self._events = Events()
        self._is_begun = False
        self.is_complete = False

    def feed(self, chunk: bytes) -> list[Event]:
        return [event for name, data in self._events.feed(chunk) for event in self._read(name, data)]

    def finish(self) -> list[Event]:
        return [event for name, data in self._events.finish() for event in self._read(name, data)]

    def _read(self, name: bytes, data: bytes) -> list[Event]:
        if name == b"output":
            piece = TextPiece(data.decode(errors="replace"))
            if self._is_begun:
                return [piece]
            self._is_begun = True
            return [Begun(), piece]
        return self._end(decode_prediction(data)) if name == PREDICTION else []

    def _end(self, prediction: Prediction) -> list[Event]:
        if prediction.status != SUCCEEDED:
            return [Failed(prediction.failure)]
        self.is_complete = True
        return _ended(prediction)


def _ended(prediction: Prediction) -> list[Event]:
    """Why it ended is not told."""
    usage = prediction.usage()
    return [Finished("stop")] if usage is None else [Finished("stop"), Used(usage)]
