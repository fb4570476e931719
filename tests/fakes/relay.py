"""A small mail relay: takes every mail and keeps it, as a mailbox would show it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Relay:
    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    is_away: bool = False
    turned_away: int = 0
    refusal: int = 0
    """The status that every recipient is refused with; 0 takes them all."""

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["to"] == address]


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def _handler(relay: Relay) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if relay.is_away:
                relay.turned_away += 1
                return self._say("421 away")
            self._say("220 relay")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self._say("354 go on")
                    relay.mails.append(cast("EmailMessage", message_from_bytes(self._data(), policy=policy.default)))
                is_refused = word == b"RCPT" and relay.refusal
                self._say("221 bye" if word == b"QUIT" else f"{relay.refusal} no" if is_refused else "250 ok")
                if word == b"QUIT":
                    return None
            return None

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    return Handler


@contextmanager
def relay() -> Iterator[Relay]:
    found = Relay()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(found)) as server:
        server.daemon_threads = True
        found.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
