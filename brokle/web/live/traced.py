"""The handshake of `/ws` as a span, from the session's lookup to the answer; what is delivered later makes none."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from brokle.kernel.tracing import SERVER, Span, tracer

PATH = "ws"
_TRACEPARENT = "brokle.traceparent"
_ANSWERS = frozenset({"websocket.accept", "websocket.close"})

Application = Callable[[Any, Any, Any], Awaitable[None]]


def traced(application: Application) -> Application:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if tracer.is_on and scope["path"] == f"/{PATH}":
            await _handshake(application, scope, receive, send)
        else:
            await application(scope, receive, send)

    return wrapped


async def _handshake(application: Application, scope: Any, receive: Any, send: Any) -> None:
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
    with ExitStack() as under_way:
        span = under_way.enter_context(tracer.begin(f"GET /{PATH}", SERVER, given))
        span.set("http.request.method", "GET")
        span.set("http.route", f"/{PATH}")
        # What the caller does not sample stays unsampled in its subscriptions too.
        scope[_TRACEPARENT] = span.traceparent() if isinstance(span, Span) else given

        async def answer(message: Any) -> None:
            await send(message)
            if message["type"] in _ANSWERS:
                under_way.close()

        await application(scope, receive, answer)


def note_refusal(close_code: int) -> None:
    """The handshake is accepted all the same, because browsers show a close code only."""
    span = tracer.current()
    if span is not None:
        span.set("brokle.close_code", close_code)


def traceparent_of(scope: Any) -> str:
    """For what is asked over the socket later: it goes on with the handshake's trace."""
    found: str = scope.get(_TRACEPARENT, "")
    return found
