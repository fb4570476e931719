"""Brokle's own spans: one trace from the edge through the console and tasks to the engines.

Off until an exporter takes the spans: then every place costs one attribute check. Only what is sampled and has a
beginning (a request, a task, an outbox row) is recorded; polling loops leave no traces.
"""

import re
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Self

from brokle.kernel.ids import new_span_id, new_trace_id

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
"""The kinds of OTLP."""

Value = str | int | float | bool
_TRACEPARENT = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")
_ZERO_TRACE, _ZERO_SPAN = "0" * 32, "0" * 16


def parse_traceparent(text: str) -> tuple[str, str, bool] | None:
    """Trace, parent span and whether it is sampled; None for anything that is not W3C's form."""
    match = _TRACEPARENT.match(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    return trace_id, span_id, bool(int(flags, 16) & 1)


class Span:
    """One piece of work; as a context it is the parent of what happens inside."""

    __slots__ = (
        "_token",
        "attributes",
        "ended_ns",
        "failure",
        "kind",
        "name",
        "parent_id",
        "span_id",
        "started_ns",
        "trace_id",
    )

    def __init__(self, name: str, kind: int, trace_id: str, parent_id: str) -> None:
        self.name, self.kind = name, kind
        self.trace_id, self.parent_id = trace_id, parent_id
        self.span_id = new_span_id()
        self.started_ns = time.time_ns()
        self.ended_ns = 0
        self.attributes: dict[str, Value] = {}
        self.failure = ""
        self._token: Token[Span | None] | None = None

    def set(self, name: str, value: Value) -> None:
        self.attributes[name] = value

    def fail(self, reason: str) -> None:
        """A class or code; never an error's text, which may quote what a user sent."""
        self.failure = reason

    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
        if kind is not None and not self.failure:
            self.failure = kind.__name__
        tracer.end(self)


class Nothing:
    """What stands in for a span where none is recorded."""

    __slots__ = ()

    def set(self, name: str, value: Value) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


NOTHING: Final = Nothing()
_current: ContextVar[Span | None] = ContextVar("current_span", default=None)


class Tracer:
    """`is_on` is what hot paths look at."""

    __slots__ = ("_take", "is_on")

    def __init__(self) -> None:
        self.is_on = False
        self._take: Callable[[Span], None] | None = None

    def start(self, take: Callable[[Span], None]) -> None:
        self._take, self.is_on = take, True

    def stop(self) -> None:
        self._take, self.is_on = None, False

    def begin(self, name: str, kind: int, traceparent: str = "") -> Span | Nothing:
        """A span without a parent in this process; continues a trace that another one started."""
        if not self.is_on:
            return NOTHING
        remote = parse_traceparent(traceparent) if traceparent else None
        if remote is None:
            return Span(name, kind, new_trace_id(), "")
        trace_id, parent_id, is_sampled = remote
        return Span(name, kind, trace_id, parent_id) if is_sampled else NOTHING

    def span(self, name: str, kind: int = CLIENT) -> Span | Nothing:
        """A part of what is under way; nothing where nothing is."""
        if not self.is_on:
            return NOTHING
        parent = _current.get()
        return NOTHING if parent is None else Span(name, kind, parent.trace_id, parent.span_id)

    def current(self) -> Span | None:
        return _current.get() if self.is_on else None

    def traceparent(self) -> str:
        """For whoever goes on with the work; empty when nothing is recorded."""
        current = self.current()
        return "" if current is None else current.traceparent()

    def end(self, span: Span) -> None:
        span.ended_ns = time.time_ns()
        take = self._take
        if take is not None:
            take(span)


tracer: Final = Tracer()
