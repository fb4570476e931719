"""Receivers of webhooks: real HTTP on loopback, with what came in and a word on how to answer."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Came:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class WebhookReceiver:
    """`answer(came)` decides; while `held` it keeps every caller waiting."""

    answer: Callable[[Came], Reply] = field(default=lambda _: Reply())
    came: list[Came] = field(default_factory=list)
    port: int = 0
    held: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def replies(self, *replies: Reply) -> None:
        """One after the other; the last one stays."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def webhook_receiver(*, holds: bool = False) -> Iterator[WebhookReceiver]:
    state = WebhookReceiver(held=threading.Event() if holds else None)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            came = Came(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            state.came.append(came)
            if state.held is not None:
                state.held.wait()
            reply = state.answer(came)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        if state.held is not None:
            state.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
