"""A client that sends whatever bytes it is told, and reads one answer."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Status 0: the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0]


def request(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def send(port: int, raw: bytes, *, timeout_s: float = 30.0) -> Answer:
    """Says that it is the last, so that the end of the answer is the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        received = b""
        try:
            connection.sendall(raw)
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass  # refused while it was still being sent; what was said by then counts
    return _read(received)


def _read(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first:
        return Answer(0, {}, b"")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}, body)
