"""An answer on its way out: held back while it is small, so that errors keep their status; then in chunks."""

import json
import secrets
import time
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Final, Protocol

from brokle.engines.clickhouse import coding
from brokle.engines.clickhouse.engine import Progress
from brokle.engines.clickhouse.errors import ClickHouseError

_HELD_BYTES: Final = 1024 * 1024
_SPILL_BYTES: Final = 8 * 1024 * 1024
_COPY_BYTES: Final = 256 * 1024
_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8; header=present",
}


class Wire(Protocol):
    """The connection's side of an answer; see server.Handler."""

    def head(self, status: int, headers: list[tuple[str, str]]) -> None: ...

    def write(self, data: bytes) -> None: ...

    def chunk(self, data: bytes) -> None: ...

    def abandon(self) -> None: ...


class Response:
    def __init__(
        self, wire: Wire, *, query_id: str, server: str, encoding: str, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wire = wire
        self._query_id = query_id
        self._server = server
        self._encoding = encoding
        self._clock = clock
        self._started_ns = clock()
        self._compressor = coding.compressor(encoding)
        self._held = SpooledTemporaryFile(max_size=_SPILL_BYTES)  # noqa: SIM115 - closed in finish and fail
        self._tag = secrets.token_hex(8)
        self.format = ""
        self.hold_all = False
        self.progress = Progress()
        self.begun = False

    def send(self, data: bytes) -> None:
        if not data:
            return
        packed = self._compressor.compress(data)
        if self.begun:
            self._wire.chunk(packed)
            return
        self._held.write(packed)
        if not self.hold_all and self._held.tell() > _HELD_BYTES:
            self._begin_chunks()

    def finish(self) -> None:
        packed = self._compressor.flush() if self.format else b""
        if self.begun:
            self._wire.chunk(packed)
            self._wire.write(b"0\r\n\r\n")
        else:
            self._held.write(packed)
            length = self._held.tell()
            self._wire.head(200, [*self._headers(), ("Content-Length", str(length))])
            self._copy_held(self._wire.write)
        self._held.close()

    def fail(self, error: ClickHouseError, version: str) -> None:
        """Before the first byte an error is a status; after it, a tagged block and a connection cut on purpose."""
        message = error.message if "(version " in error.message else f"{error.message} (version {version})"
        body = f"{message}\n".encode("utf-8", "surrogateescape")
        self._held.close()
        if not self.begun:
            headers = [*self._common_headers(), ("X-ClickHouse-Exception-Code", str(error.code))]
            headers += [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", str(len(body)))]
            if error.status == 401:
                headers.append(("WWW-Authenticate", 'Basic realm="ClickHouse server HTTP API"'))
            self._wire.head(error.status, headers)
            self._wire.write(body)
            return
        tag = self._tag.encode()
        block = b"\r\n__exception__\r\n" + tag + b"\r\n" + body + b"%d " % len(body) + tag + b"\r\n__exception__\r\n"
        self._wire.chunk(self._compressor.compress(block) + self._compressor.flush())
        self._wire.abandon()

    def _begin_chunks(self) -> None:
        self.begun = True
        self._wire.head(200, [*self._headers(), ("Transfer-Encoding", "chunked")])
        self._copy_held(self._wire.chunk)

    def _copy_held(self, write: Callable[[bytes], None]) -> None:
        self._held.seek(0)
        while data := self._held.read(_COPY_BYTES):
            write(data)

    def _common_headers(self) -> list[tuple[str, str]]:
        return [
            ("X-ClickHouse-Server-Display-Name", self._server),
            ("X-ClickHouse-Query-Id", self._query_id),
            ("X-ClickHouse-Timezone", "UTC"),
            ("X-ClickHouse-Summary", self._summary()),
        ]

    def _headers(self) -> list[tuple[str, str]]:
        headers = self._common_headers()
        content_type = _CONTENT_TYPES.get(self.format, "text/plain; charset=UTF-8")
        if self.format:
            headers.append(("X-ClickHouse-Format", self.format))
            headers.append(("X-ClickHouse-Exception-Tag", self._tag))
            if self._encoding:
                headers.append(("Content-Encoding", self._encoding))
        elif self._held.tell() == 0:
            content_type = "text/plain; charset=UTF-8"
        headers.append(("Content-Type", content_type))
        return headers

    def _summary(self) -> str:
        progress = self.progress
        return json.dumps(
            {
                "read_rows": str(progress.read_rows),
                "read_bytes": str(progress.read_bytes),
                "written_rows": str(progress.written_rows),
                "written_bytes": str(progress.written_bytes),
                "total_rows_to_read": "0",
                "result_rows": str(progress.result_rows or progress.written_rows),
                "result_bytes": str(progress.written_bytes),
                "elapsed_ns": str(self._clock() - self._started_ns),
            },
            separators=(",", ":"),
        )
