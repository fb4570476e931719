"""When `serve` may start the executor: a container engine answers, and the web is up already."""

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

DOCKER_SOCKET = "/var/run/docker.sock"
_LOOK_AGAIN_S = 2.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a listener on every address is reached


def container_engine_answers(path: str = DOCKER_SOCKET) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def web_is_ready(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK.get(host, host), port), timeout=1) as probe:
        probe.sendall(f"GET /health/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in probe.recv(64)
    return False


@dataclass(slots=True)
class LateStart:
    """Asked at every tick of the supervisor; looks every other second."""

    host: str
    port: int
    engine_answers: Callable[[], bool] = container_engine_answers
    looked_at: float = field(default=0.0)

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self.looked_at < _LOOK_AGAIN_S:
            return False
        self.looked_at = now
        return self.engine_answers() and web_is_ready(self.host, self.port)
