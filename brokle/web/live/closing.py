"""Lets the server end a socket while it waits for the client.

Granian's close needs the stream that a pending `receive` holds, so a close from beside would wait for the client's next
frame, for ever if it is silent. Here the close is handed to the pending `receive`, which gives way first.
"""

import asyncio
from typing import Any

# A client that reads nothing cannot take the close frame either; after this the connection is dropped.
_GRACE_S = 20.0


def closable(application: Any) -> Any:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        socket = _Socket(receive, send)
        await application(scope, socket.receive, socket.send)

    return wrapped


class _Socket:
    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self._close: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._is_receiving = False

    async def receive(self) -> dict[str, Any]:
        self._is_receiving = True
        waiting = asyncio.create_task(self._wait())
        try:
            await asyncio.wait((waiting, self._close), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        finally:
            self._is_receiving = False
        if not self._close.done():
            return waiting.result()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await self._end(self._close.result())

    async def _wait(self) -> dict[str, Any]:
        """A task of our own: Granian's awaitable frees the stream only when it is cancelled from within one."""
        message: dict[str, Any] = await self._receive()
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] != "websocket.close" or not self._is_receiving:
            await self._send(message)
        elif not self._close.done():
            self._close.set_result(message)

    async def _end(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._send(message)
        except (TimeoutError, OSError, RuntimeError):
            pass
        return {"type": "websocket.disconnect", "code": message.get("code", 1000)}
