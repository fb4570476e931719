"""A stream of Gemini's answers on its way through: passed on as it came, and read only where it matters."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.dialects.gemini.wire import find_reply
from apps.routing.edge.dialects.sse import Gathered, payload_of, split_events
from apps.routing.edge.splice import with_last_member
from apps.routing.edge.usage import Usage

# What must be looked at; all else goes on unread. A quote inside a JSON string is escaped, so that text is no match.
_MATTERS: Final = re.compile(rb'"(?:finishReason|blockReason|error)"\s*:')
_USAGE: Final = b'"usageMetadata"'


class Passage:
    """`metadata` makes the `brokle` object of what was used, once that is known; None leaves it out.

    It rides in the chunk that ends the last of the candidates, which says the usage too; where it does not, that chunk
    and what follows it wait for who does, or for the end.
    """

    __slots__ = ("_gathered", "_held", "_last", "_open", "events", "is_done", "is_failed", "metadata")

    def __init__(self, count: int, metadata: Callable[[], bytes] | None) -> None:
        self.metadata = metadata
        self._open = count
        self._gathered = Gathered()
        self._held = b""
        self._last: Usage | bytes | None = None
        self.events = 0
        self.is_done = self.is_failed = False

    @property
    def usage(self) -> Usage | None:
        """Each chunk says it anew, so that only the last one is read; of a stream broken off each chunk is a token."""
        if isinstance(self._last, bytes):
            reply = find_reply(payload_of(self._last))
            self._last = reply.usage_metadata.buckets() if reply is not None and reply.usage_metadata else None
        if self._last is None or self._open <= 0 or self._last.all_output >= self.events:
            return self._last
        return msgspec.structs.replace(self._last, output=self.events, is_estimated=True)

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; an unfinished event waits for its end."""
        block = self._gathered.feed(chunk)
        if not block:
            return b""
        out = b""
        for event in split_events(block):
            out += self._event(event)
            if self.is_failed:  # nothing comes after an error
                break
        return out

    def finish(self) -> bytes:
        """At the end of the upstream, which says no other word for it than the reason of the last candidate."""
        self.is_done = not self.is_failed and self._open <= 0
        return self._release()

    def _event(self, event: bytes) -> bytes:
        self.events += 1
        if _USAGE in event:
            self._last = event
        if self._held:
            return self._behind(event)
        if not _MATTERS.search(event):
            return event
        reply = find_reply(payload_of(event))
        if reply is None:
            return event
        if reply.is_error:
            self.is_failed = True
            return event
        self._open -= reply.ended
        if self._open > 0 or not reply.ended:
            return event
        self._held = event
        return self._release() if reply.usage_metadata is not None else b""

    def _behind(self, event: bytes) -> bytes:
        reply = find_reply(payload_of(event))
        self.is_failed = reply is not None and reply.is_error
        return self._release() + event

    def _release(self) -> bytes:
        held, self._held = self._held, b""
        if not held or self.metadata is None or self.is_failed:
            return held
        return with_last_member(held, b"brokle", self.metadata())
