"""Django over ASGI spools a body of any length before anything looks at it; here it ends at the limit."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Bounded:
    """Ends the body where it passes the limit; after that nothing more is taken from the caller."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.is_too_large = False

    async def __call__(self) -> dict[str, Any]:
        if self.is_too_large:
            await asyncio.get_running_loop().create_future()
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.is_too_large = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return message


class TooLargeBody(io.BytesIO):
    """Whoever wants the body gets the refusal; a view that wants none answers as ever."""

    def read(self, *arguments: Any) -> bytes:
        raise RequestDataTooBig
