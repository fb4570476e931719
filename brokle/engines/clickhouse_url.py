"""CLICKHOUSE_URL, and clients for it: the same for the embedded engine and for a server."""

import logging
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# The library writes its failures to a log besides raising them; a command without a log would print them.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
_DEFAULT_PORTS = {"http": 8123, "https": 8443}


class UnableToReadClickHouseUrl(Exception):
    pass


@dataclass(frozen=True, slots=True)
class ClickHouseUrl:
    scheme: str
    host: str
    port: int
    user: str
    password: str
    database: str


def parse(url: str) -> ClickHouseUrl:
    """Reads `http(s)://user:password@host:port/database`; user, password, port and database may be left out."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == -1:
        raise UnableToReadClickHouseUrl("CLICKHOUSE_URL must look like http://user:password@host:8123/database")
    return ClickHouseUrl(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _DEFAULT_PORTS[parts.scheme],
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
    )


def connect(url: str, *, database: str | None = None, **options: Any) -> "Client":
    """A client for one thread at a time. Sessions are off, so that queries of a process do not wait for each other."""
    import clickhouse_connect

    where = parse(url)
    return clickhouse_connect.get_client(
        interface=where.scheme,
        host=where.host,
        port=where.port,
        username=where.user,
        password=where.password,
        database=where.database if database is None else database,
        autogenerate_session_id=False,
        **options,
    )


def answers(url: str) -> bool:
    """ClickHouse's own `/ping`, which needs no login."""
    where = parse(url)
    try:
        with socket.create_connection((where.host, where.port), timeout=2) as plain:
            stream = _secure(plain, where.host) if where.scheme == "https" else plain
            stream.sendall(f"GET /ping HTTP/1.1\r\nHost: {where.host}\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in stream.recv(64)
    except OSError:
        return False


def wait_until_answers(url: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _secure(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
