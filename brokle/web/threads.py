"""Django over ASGI on threads that stay: a request changes hands once, and each thread keeps its database connection.

Django's own handler gives every request a thread of its own, and with it a new connection, and goes back and forth
between loop and thread at every middleware of the other kind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from brokle.web.bodies import Bounded, TooLargeBody

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
_PIECE_BYTES = 64 * 1024
_TAKEN_WITHIN_S = 30.0


class ThreadedHandler(ASGIHandler):
    """Downloads have threads of their own: whoever reads slowly holds up other downloads at most, and no page."""

    def __init__(self, threads: ThreadPoolExecutor, downloads: ThreadPoolExecutor) -> None:
        self.load_middleware(is_async=False)
        self._threads = threads
        self._downloads = downloads

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        bounded = Bounded(receive, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        try:
            body = await self.read_body(bounded)
        except RequestAborted:
            return
        loop = asyncio.get_running_loop()

        def tell(message: Message) -> None:
            """From the thread, which waits until the caller has taken it, and not for ever."""
            sent = asyncio.run_coroutine_threadsafe(_sent(send, message), loop)
            try:
                sent.result(_TAKEN_WITHIN_S)
            finally:
                sent.cancel()

        run = copy_context().run
        response = await loop.run_in_executor(self._threads, run, self._answer, scope, body)
        if isinstance(response, StreamingHttpResponse):
            await loop.run_in_executor(self._downloads, run, _stream, response, tell)
        elif isinstance(response, HttpResponse):
            await send(_start(response))
            await send({"type": "http.response.body", "body": response.content})

    async def read_body(self, receive: Bounded) -> IO[bytes]:
        body: IO[bytes] = await super().read_body(receive)
        if not receive.is_too_large:
            return body
        body.close()
        return TooLargeBody()

    def _answer(self, scope: Any, body: IO[bytes]) -> HttpResponseBase:
        """A whole answer is done with here; one that streams has not begun."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response: HttpResponseBase = refusal if request is None else self.get_response(request)
        body.close()
        if not response.streaming:
            response.close()
        return response


async def _sent(send: Send, message: Message) -> None:
    await send(message)


def _stream(response: StreamingHttpResponse, tell: Callable[[Message], None]) -> None:
    with closing(response):
        tell(_start(response))
        for piece in _pieces(response):
            tell({"type": "http.response.body", "body": piece, "more_body": True})
        tell({"type": "http.response.body", "body": b""})


def _pieces(response: StreamingHttpResponse) -> Iterator[bytes]:
    """Lines joined until they are worth sending."""
    held, size = [], 0
    for part in response:
        held.append(part)
        size += len(part)
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _start(response: HttpResponseBase) -> Message:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii")) for cookie in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers + cookies}
