"""A stream of Responses events on its way through: passed on as it came, and read only where it matters."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.conversation import NO_JSON
from apps.routing.edge.dialects.responses.objects import error_of
from apps.routing.edge.dialects.responses.output import Told
from apps.routing.edge.dialects.responses.wire import Reply
from apps.routing.edge.dialects.sse import Gathered, payload_of, split_events
from apps.routing.edge.reply import Failed
from apps.routing.edge.splice import Renaming, members_of, with_last_member
from apps.routing.edge.usage import Usage

# What must be looked at; all else goes on unread. A quote inside a JSON string is escaped, so that text is no match.
_MATTERS: Final = re.compile(
    rb'"type"\s*:\s*"(?:response\.(?:created|queued|in_progress|completed|incomplete|failed)|error)"'
)
_PIECE: Final = re.compile(rb'"type"\s*:\s*"response\.[a-z_.]+\.delta"')
_NUMBER: Final = b'"sequence_number"'
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_FAILS: Final = frozenset({"response.failed", "error"})


class _Said(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = NO_JSON


_decode: Final = msgspec.json.Decoder(_Said).decode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


class Passage:
    """`metadata` makes the `brokle` object of what was used, once that is known; None leaves it out."""

    __slots__ = ("_asked", "_begun", "_gathered", "events", "is_done", "is_failed", "metadata", "number", "usage")

    def __init__(self, asked: str, metadata: Callable[[], bytes] | None) -> None:
        self._asked = asked
        self.metadata = metadata
        self._gathered = Gathered()
        self._begun = b""
        self.number = 0
        self.events = 0
        self.usage: Usage | None = None
        self.is_done = self.is_failed = False

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; an unfinished event waits for its end."""
        block = self._gathered.feed(chunk)
        if not block:
            return b""
        if not _MATTERS.search(block):
            self._count(block)
            return block
        out = b""
        for event in split_events(block):
            out += self._event(event)
            if self.is_failed:  # nothing comes after an error, least of all a claim that all is done
                break
        return out

    def finish(self) -> bytes:
        return b""

    def failed(self, failure: Failed) -> Told | None:
        if not self._begun:
            return None
        return {**members_of(self._begun), "status": "failed", "error": error_of(failure)}

    def _count(self, block: bytes) -> None:
        self.number += block.count(_NUMBER)
        self.events += len(_PIECE.findall(block))

    def _event(self, event: bytes) -> bytes:
        self._count(event)
        if not _MATTERS.search(event):
            return event
        try:
            said = _decode(payload_of(event))
            reply = _decode_reply(said.response) if bytes(said.response)[:1] == b"{" else Reply()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return event
        self.is_failed |= said.type in _FAILS
        self.usage = reply.buckets() or self.usage
        event = self._renamed(event, reply)
        if said.type not in _ENDS:
            self._begun = self._begun or self._head(event)
            return event
        self.is_done = True
        return event if self.metadata is None else with_last_member(event, b"brokle", self.metadata())

    def _renamed(self, event: bytes, reply: Reply) -> bytes:
        name = bytes(reply.model)
        if not name or name == msgspec.json.encode(self._asked):
            return event
        return Renaming(name, self._asked).apply(event)

    @staticmethod
    def _head(event: bytes) -> bytes:
        held = bytes(_decode(payload_of(event)).response)
        return held if held[:1] == b"{" else b""
