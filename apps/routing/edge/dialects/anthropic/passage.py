"""A stream of Anthropic events on its way through: passed on as it came, and read only where it matters."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.conversation import NO_JSON
from apps.routing.edge.dialects.anthropic.wire import Reply, WireUsage
from apps.routing.edge.dialects.sse import (
    Gathered,
    payload_of,
    split_events,
    written,
)
from apps.routing.edge.splice import Renaming, with_last_member
from apps.routing.edge.usage import Usage

# What must be looked at; all else goes on unread. A quote inside a JSON string is escaped, so that text is no match.
_MATTERS: Final = re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"')
_PIECE: Final = b'"content_block_delta"'
_STOP: Final = written(b'{"type":"message_stop"}', b"message_stop")


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Said(msgspec.Struct):
    type: str = ""
    message: Reply | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None
    model: msgspec.Raw = NO_JSON


_decode: Final = msgspec.json.Decoder(_Said).decode


class Passage:
    """`metadata` makes the `brokle` object of what was used, once that is known; None leaves it out."""

    __slots__ = ("_asked", "_gathered", "_is_finished", "_reported", "events", "is_done", "is_failed", "metadata")

    def __init__(self, asked: str, metadata: Callable[[], bytes] | None) -> None:
        self._asked = asked
        self.metadata = metadata
        self._gathered = Gathered()
        self._reported: WireUsage | None = None
        self._is_finished = False
        self.events = 0
        self.is_done = self.is_failed = False

    @property
    def usage(self) -> Usage | None:
        """Of a stream that was broken off the beginning told the input; each piece that came is a token."""
        if self._reported is None:
            return None
        found = self._reported.buckets()
        if self._is_finished or found.all_output >= self.events:
            return found
        return msgspec.structs.replace(found, output=self.events, is_estimated=True)

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; an unfinished event waits for its end."""
        block = self._gathered.feed(chunk)
        if not block:
            return b""
        if not _MATTERS.search(block):
            self.events += block.count(_PIECE)
            return block
        out = b""
        for event in split_events(block):
            out += self._event(event)
            if self.is_failed:  # nothing comes after an error, least of all a claim that all is done
                break
        return out

    def finish(self) -> bytes:
        """At the end of the upstream. A stream that ended well but unsaid gets its end said."""
        if not self._is_finished or self.is_done or self.is_failed:
            return b""
        self.is_done = True
        return _STOP

    def _event(self, event: bytes) -> bytes:
        self.events += event.count(_PIECE)
        if not _MATTERS.search(event):
            return event
        try:
            said = _decode(payload_of(event))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return event
        if said.type == "message_start" and said.message is not None:
            return self._start(event, said.message)
        if said.type == "message_delta":
            return self._delta(event, said)
        self.is_done |= said.type == "message_stop"
        self.is_failed |= said.type == "error"
        return event

    def _start(self, event: bytes, message: Reply) -> bytes:
        self._learn(message.usage)
        name = bytes(message.model)
        if not name or name == msgspec.json.encode(self._asked):
            return event
        return Renaming(name, self._asked).apply(event)

    def _delta(self, event: bytes, said: _Said) -> bytes:
        self._learn(said.usage)
        if said.delta is None or not said.delta.stop_reason or self._is_finished:
            return event
        self._is_finished = True
        return event if self.metadata is None else with_last_member(event, b"brokle", self.metadata())

    def _learn(self, usage: WireUsage | None) -> None:
        if usage is not None:
            self._reported = usage.over(self._reported)
