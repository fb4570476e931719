"""ClickHouse's HTTP protocol on a loopback socket: one thread per connection, keep-alive, requests in order."""

import base64
import binascii
import hmac
import logging
import re
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from brokle.engines.clickhouse import coding, forms
from brokle.engines.clickhouse.engine import Engine
from brokle.engines.clickhouse.errors import AUTHENTICATION_FAILED, STD_EXCEPTION, ClickHouseError, refusal
from brokle.engines.clickhouse.execution import Executor, Request
from brokle.engines.clickhouse.request import Body, Parameters, parameters
from brokle.engines.clickhouse.response import Response

USER: Final = "brokle"
_MAX_URI_BYTES: Final = 1024 * 1024
_MAX_CONNECTIONS: Final = 512
_IDLE_SECONDS: Final = 300
_TEXT: Final = ("utf-8", "surrogateescape")
# Some of what a header says comes from the request, such as its query_id.
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, engine: Engine, executor: Executor, password: str, *, port: int = 0) -> None:
        self.engine = engine
        self.executor = executor
        self.password = password
        self.draining = False
        self._connections = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.exception("a connection failed")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ClickHouse"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """As the parent's, but with room for the long URLs that carry query parameters."""
        try:
            self.raw_requestline = self.rfile.readline(_MAX_URI_BYTES + 1)
            if len(self.raw_requestline) > _MAX_URI_BYTES:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
                return
            if not self.raw_requestline:
                self.close_connection = True
                return
            if not self.parse_request():
                return
            self._dispatch()
            self.wfile.flush()
        except (TimeoutError, ConnectionError):
            self.close_connection = True
        if self.server.draining:
            self.close_connection = True

    def _dispatch(self) -> None:
        try:
            url = urlsplit(self.path)
            asked = parameters(url.query)
        except ValueError as error:
            self._plain(400, f"The address cannot be read: {error}.\n")
            return
        if self.command not in ("GET", "POST", "HEAD"):
            self._plain(501, "Method is not supported.\n")
        elif url.path in ("/ping", "/replicas_status") or (
            url.path in ("", "/") and not url.query and self.command != "POST"
        ):
            self._plain(200, "Ok.\n")
        elif url.path.strip("/") in ("", "query"):
            self._query(asked)
        else:
            self._plain(404, f"There is no handle {url.path}\n\nUse / or /ping for health checks.\n")

    def _query(self, asked: Parameters) -> None:
        query_id = asked.text("query_id") or str(uuid.uuid4())
        asked.protocol.setdefault("default_format", self.headers.get("X-ClickHouse-Format") or "")
        if not asked.text("database"):
            asked.protocol["database"] = self.headers.get("X-ClickHouse-Database") or ""
        encoding = coding.choose(self.headers.get("Accept-Encoding") or "")
        response = Response(
            self,
            query_id=query_id,
            server=USER,
            encoding=encoding if asked.flag("enable_http_compression", default=True) else "",
        )
        body: Body | None = None
        try:
            self._authenticate(asked)
            body = Body(self.rfile, self.headers)
            coded = (self.headers.get("Content-Encoding") or "").strip().lower()
            pieces = coding.decode(body.pieces(), coded)
            if self.headers.get_content_type() == "multipart/form-data":
                pieces = forms.read(pieces, self.headers["Content-Type"], asked)
            request = Request(asked, pieces, query_id, self.command == "POST", self.connection)
            self.server.executor.run(request, response)
            response.finish()
        except ClickHouseError as error:
            self._fail(response, error)
        except (TimeoutError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001 - whatever broke inside, the client gets an answer
            _log.exception("a query failed inside the server")
            self._fail(response, refusal(STD_EXCEPTION, "STD_EXCEPTION", "The server failed while running this query."))
        finally:
            if body is None or not self._rested(body):
                self.close_connection = True

    def _fail(self, response: Response, error: ClickHouseError) -> None:
        response.fail(error, self.server.engine.version)

    def _rested(self, body: Body) -> bool:
        """Whether the whole request was read, so that the next one can begin; a small rest is read away."""
        try:
            body.drain()
        except ClickHouseError:
            return False
        return body.finished

    def _authenticate(self, asked: Parameters) -> None:
        user, password = self._credentials(asked)
        user = user or "default"
        right_user = hmac.compare_digest(user.encode(*_TEXT), USER.encode())
        right_password = hmac.compare_digest(password.encode(*_TEXT), self.server.password.encode())
        if not (right_user and right_password):
            raise refusal(
                AUTHENTICATION_FAILED,
                "AUTHENTICATION_FAILED",
                f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
            )

    def _credentials(self, asked: Parameters) -> tuple[str, str]:
        scheme, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return user, password
        if "X-ClickHouse-User" in self.headers or "X-ClickHouse-Key" in self.headers:
            return self.headers.get("X-ClickHouse-User") or "", self.headers.get("X-ClickHouse-Key") or ""
        return asked.text("user"), asked.text("password")

    def _plain(self, status: int, text: str) -> None:
        body = text.encode()
        self.head(status, [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", str(len(body)))])
        self.write(body)
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        if self.request_version == "HTTP/1.0" and ("Transfer-Encoding", "chunked") in headers:
            headers = [header for header in headers if header[0] != "Transfer-Encoding"]
            self.close_connection = True
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, _UNPRINTABLE.sub("?", value))
        self.send_header("Connection", "close" if self.close_connection or self.server.draining else "Keep-Alive")
        self.end_headers()

    def write(self, data: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(data)

    def chunk(self, data: bytes) -> None:
        if not data:
            return
        if self.request_version == "HTTP/1.0":
            self.write(data)
            return
        self.write(b"%x\r\n" % len(data))
        self.write(data)
        self.write(b"\r\n")

    def abandon(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Requests are not logged: their URLs carry query text."""


def listen(server: Server, name: str = "clickhouse-http") -> Callable[[], None]:
    """Accepts connections in a thread; returns what stops accepting."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True)
    thread.start()

    def stop() -> None:
        server.draining = True
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return stop
