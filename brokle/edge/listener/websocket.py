"""A websocket, as an ASGI application sees it."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CLOSED, CLOSING, CONNECTING, OPEN
from websockets.server import ServerProtocol

from brokle.edge.http import Header, Message, Scope

if TYPE_CHECKING:
    from brokle.edge.listener.connection import Connection

log = logging.getLogger("brokle.edge")
_quiet = logging.getLogger("brokle.edge.websocket")
_quiet.setLevel(logging.WARNING)

_MESSAGE_MAX: Final = 1024 * 1024
_WAITING_MAX: Final = 32
"""More messages than these stay in the client's socket until the application takes them."""
_CLOSING_S: Final = 10.0
_SWITCHING, _BAD_REQUEST, _FORBIDDEN = 101, 400, 403
_NORMAL, _NOT_TEXT, _FAILED, _GOING_AWAY, _LOST = 1000, 1007, 1011, 1012, 1006


class WebSocket:
    __slots__ = (
        "_connection",
        "_early",
        "_is_text",
        "_is_told",
        "_messages",
        "_parts",
        "_protocol",
        "_response",
        "_scope",
        "_waiting",
        "is_holding",
        "task",
    )

    _response: Response

    def __init__(self, connection: "Connection", scope: Scope) -> None:
        self._connection = connection
        self._protocol = ServerProtocol(max_size=_MESSAGE_MAX, logger=_quiet)
        self._scope = {**scope, "type": "websocket", "scheme": "ws", "subprotocols": _subprotocols(scope)}
        self._scope["extensions"] = {"websocket.http.response": {}}
        self._messages: deque[Message] = deque([{"type": "websocket.connect"}])
        self._waiting: asyncio.Future[None] | None = None
        self._early: list[bytes] = []
        self._parts: list[bytes] = []
        self._is_text = self.is_holding = self._is_told = False
        self.task: asyncio.Task[None] | None = None

    def open(self, application: Any) -> None:
        self._response = self._shake_hands()
        if self._response.status_code == _SWITCHING:
            self.task = self._connection.loop.create_task(self._run(application))
        else:
            self._respond()
            self._connection.socket_ended(self)

    def _shake_hands(self) -> Response:
        """The protocol's parser wants to see the request itself before any frame."""
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._scope["headers"])
        self._protocol.receive_data(Request(_target(self._scope), headers).serialize())
        asked = self._protocol.events_received()
        if asked and isinstance(asked[0], Request):
            return self._protocol.accept(asked[0])
        return self._protocol.reject(_BAD_REQUEST, "")

    async def _run(self, application: Any) -> None:
        try:
            await application(self._scope, self.receive, self.send)
        except Exception as error:
            log.exception("application failed", exc_info=error)
        finally:
            self._close(_FAILED, "")
            self._connection.socket_ended(self)

    # What the connection tells

    def take(self, data: bytes) -> None:
        if self._protocol.state is CONNECTING:
            self._early.append(data)
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        self._flush()

    def lost(self) -> None:
        self._protocol.receive_eof()
        self._tell_of_end()

    def go_away(self) -> None:
        self._close(_GOING_AWAY, "")

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            content, self._parts = b"".join(self._parts), []
            self._take_message(content)

    def _take_message(self, content: bytes) -> None:
        if not self._is_text:
            self._queue({"type": "websocket.receive", "bytes": content})
            return
        try:
            self._queue({"type": "websocket.receive", "text": content.decode()})
        except UnicodeDecodeError:
            self._protocol.fail(_NOT_TEXT)

    # What the application sees

    def _queue(self, message: Message) -> None:
        if self._is_told:
            return
        self._messages.append(message)
        if len(self._messages) > _WAITING_MAX and not self.is_holding:
            self.is_holding = True
            self._connection.hold()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _tell_of_end(self) -> None:
        self._queue(self._end())
        self._is_told = True

    def _end(self) -> Message:
        """The first word on it counts: the client's, or ours."""
        said = self._protocol.close_rcvd or self._protocol.close_sent
        if said is None:
            return {"type": "websocket.disconnect", "code": _LOST, "reason": ""}
        return {"type": "websocket.disconnect", "code": int(said.code), "reason": said.reason}

    async def receive(self) -> Message:
        while not self._messages:
            if self._is_told:
                return self._end()
            self._waiting = self._connection.loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        message = self._messages.popleft()
        if self.is_holding and not self._messages:
            self.is_holding = False
            self._connection.release()
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            await self._send(message)
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._close(message.get("code", _NORMAL), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._decline(message["status"], message.get("headers", ()))
        elif kind == "websocket.http.response.body":
            self._decline_with(message.get("body", b""))

    async def _send(self, message: Message) -> None:
        if self._protocol.state is not OPEN:
            return
        text = message.get("text")
        if text is not None:
            self._protocol.send_text(text.encode())
        else:
            self._protocol.send_binary(message["bytes"])
        self._flush()
        if self._connection.is_full:
            await self._connection.drain()

    def _accept(self, message: Message) -> None:
        if self._protocol.state is not CONNECTING or self._is_told:
            return
        headers = self._response.headers
        if message.get("subprotocol"):
            headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        for name, value in message.get("headers", ()):
            headers[name.decode("latin-1")] = value.decode("latin-1")
        self._respond()
        early, self._early = b"".join(self._early), []
        if early:
            self.take(early)

    def _decline(self, status: int, headers: Iterable[Header]) -> None:
        """An answer of HTTP instead of a socket."""
        self._response = self._protocol.reject(status, "")
        for name, value in headers:
            self._set_header(name.decode("latin-1"), value.decode("latin-1"))

    def _set_header(self, name: str, value: str) -> None:
        """Once; what the protocol said by that name is taken back."""
        with suppress(KeyError):
            del self._response.headers[name]
        self._response.headers[name] = value

    def _decline_with(self, body: bytes) -> None:
        if self._protocol.state is not CONNECTING or self._is_told:
            return
        self._set_header("Content-Length", str(len(body)))
        self._response.body = body
        self._respond()
        self._tell_of_end()

    def _close(self, code: int, reason: str) -> None:
        """The application need not wait until the client has answered."""
        if self._protocol.state is CONNECTING and not self._is_told:
            self._response = self._protocol.reject(_FORBIDDEN, "")
            self._respond()
        elif self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self._tell_of_end()

    # The wire

    def _respond(self) -> None:
        self._protocol.send_response(self._response)
        self._flush()

    def _flush(self) -> None:
        connection, protocol = self._connection, self._protocol
        for data in protocol.data_to_send():
            if data:
                connection.write(data)
            else:
                connection.close()
        if protocol.state in {CLOSING, CLOSED}:
            self._tell_of_end()
        if protocol.close_expected():
            connection.abort_after(_CLOSING_S)


def _target(scope: Scope) -> str:
    query = scope["query_string"]
    whole: bytes = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    return whole.decode("latin-1")


def _subprotocols(scope: Scope) -> list[str]:
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    return [name.strip() for name in ",".join(sent).split(",") if name.strip()]
