"""A stream of OpenAI events on its way through: passed on as it came, and read only where it matters."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.dialects.openai.wire import DONE, find_reply
from apps.routing.edge.dialects.sse import Gathered, end_of_event, payload_of, start_of_event
from apps.routing.edge.splice import Renaming, joined, members_of, with_last_member
from apps.routing.edge.usage import Usage

_FINISHES: Final = re.compile(rb'"finish_reason"\s*:\s*"')
# What must be looked at; all else goes on unread. It may be found inside a text too, and then costs only the look.
_MATTERS: Final = (
    (b'"finish_reason"', _FINISHES),
    (b'"usage"', re.compile(rb'"usage"\s*:\s*\{')),
    (b'"error"', re.compile(rb'"error"\s*:')),
    (b"[DONE]", re.compile(rb"\[DONE\]")),
)
_UNSAID: Final = (b":null", b": null")
_LOOKED_AT: Final = 8
"""So many events at the beginning, and no more, may be without the model's name."""
_NAMELESS: Final = frozenset({b"", b'""', b"null"})
_EMPTY_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null')


class Passage:
    """`metadata` makes the `brokle` object of what was used, once that is known; None leaves it out."""

    __slots__ = (
        "_asked",
        "_gathered",
        "_held",
        "_is_named",
        "_renaming",
        "_wants_usage",
        "events",
        "is_done",
        "is_failed",
        "is_finished",
        "metadata",
        "usage",
    )

    def __init__(self, asked: str, *, wants_usage: bool, metadata: Callable[[], bytes] | None) -> None:
        self._asked = asked
        self._wants_usage = wants_usage
        self.metadata = metadata
        self._renaming: Renaming | None = None
        self._is_named = False
        self._gathered = Gathered()
        self._held = b""
        self.events = 0
        self.usage: Usage | None = None
        self.is_finished = self.is_done = self.is_failed = False

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; an unfinished event waits for its end."""
        block = self._gathered.feed(chunk)
        if not block:
            return b""
        if not self._is_named and self.events < _LOOKED_AT:
            self._learn_name(block)
        return self._through(block)

    def finish(self) -> bytes:
        """At the end of the upstream: what was held back. A stream that ended well but unsaid gets its end said."""
        out = self._release()
        if self.is_finished and not self.is_done and not self.is_failed:
            self.is_done = True
            out += DONE
        return out

    def _learn_name(self, block: bytes) -> None:
        """Every event of a stream carries the same name, so that the first one tells what to look for.

        Azure speaks of its filters first, in an event of no model.
        """
        while block:
            end = end_of_event(block)
            reply = find_reply(payload_of(block[:end]))
            block = block[end:]
            name = bytes(reply.model) if reply is not None else b""
            if name not in _NAMELESS:
                self._is_named = True
                self._renaming = None if name == msgspec.json.encode(self._asked) else Renaming(name, self._asked)
                return

    def _through(self, block: bytes) -> bytes:
        """Up to the event that matters all at once, that one by itself, and so on; while one is held, each by itself.

        Nothing comes after an error, least of all a claim that all is done.
        """
        out = b""
        while block and not self.is_failed:
            plain = 0 if self._held else _size_of_plain(block)
            if plain:
                self.events += block.count(b"data:", 0, plain)
                out += self._plain(block[:plain])
            else:
                plain = end_of_event(block)
                out += self._event(block[:plain])
            block = block[plain:]
        return out

    def _plain(self, text: bytes) -> bytes:
        if not self._wants_usage and b'"usage"' in text:
            text = _EMPTY_USAGE.sub(b"", text)
        return text if self._renaming is None else self._renaming.apply(text)

    def _event(self, event: bytes) -> bytes:
        payload = payload_of(event)
        if payload == b"[DONE]":
            self.is_done = True
            return self._release() + event
        reply = find_reply(payload)
        if reply is None:
            return self._release_unadorned() + event
        self.events += 1
        if reply.is_error:
            self.is_failed = True
            return self._release_unadorned() + event
        if reply.usage is not None:
            self.usage = reply.usage.buckets()
        if reply.is_only_usage:
            return self._release() + (self._plain(event) if self._wants_usage else b"")
        if reply.usage is not None and not self._wants_usage:
            event = _without_usage(event, payload)
        if _FINISHES.search(payload):
            return self._hold(event)
        return self._release_unadorned() + self._plain(event)

    def _hold(self, event: bytes) -> bytes:
        former = self._release_unadorned()
        self.is_finished = True
        self._held = self._plain(event)
        return former + (self._release() if self.usage is not None else b"")

    def _release(self) -> bytes:
        held, self._held = self._held, b""
        if not held or self.metadata is None:
            return held
        return with_last_member(held, b"brokle", self.metadata())

    def _release_unadorned(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _size_of_plain(block: bytes) -> int:
    """How many bytes of whole events come before the first that matters.

    Every event of many providers names these members and says null: such are counted, which costs a tenth of a search.
    """
    places = []
    for name, said in _MATTERS:
        count = block.count(name)
        if count and count != sum(block.count(name + unsaid) for unsaid in _UNSAID):
            found = said.search(block)
            places += [] if found is None else [found.start()]
    return start_of_event(block, min(places)) if places else len(block)


def _without_usage(event: bytes, payload: bytes) -> bytes:
    members = members_of(payload)
    members.pop("usage", None)
    return event.replace(payload, joined(members))
