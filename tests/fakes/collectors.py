"""Where a program reports about itself: a trace collector and Sentry's ingest, over real HTTP on loopback."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Keeps every POST, unpacked, and answers with the status it was told."""

    posts: list[Posted] = field(default_factory=list)
    status: int = 200
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://0123456789abcdef0123456789abcdef@127.0.0.1:{self.port}/7"

    def everything(self) -> bytes:
        return b"\n".join(post.body + repr(post.headers).encode() for post in self.posts)

    def spans(self) -> list[dict[str, Any]]:
        """As opentelemetry-proto decodes them."""
        found = []
        for post in list(self.posts):
            request = ExportTraceServiceRequest.FromString(post.body)
            for resource in request.resource_spans:
                facts = _plain(resource.resource.attributes)
                for scope in resource.scope_spans:
                    found += [{**_span(span), "role": facts["brokle.role"], "resource": facts} for span in scope.spans]
        return found

    def events(self) -> list[dict[str, Any]]:
        """The events of Sentry's envelopes: a header line, then item header and item, line by line."""
        found = []
        for post in list(self.posts):
            lines = post.body.split(b"\n")
            for head, item in zip(lines[1::2], lines[2::2], strict=False):
                if head and json.loads(head).get("type") == "event":
                    found.append(json.loads(item))
        return found


def _plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def _span(span: Any) -> dict[str, Any]:
    return {
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "ns": span.end_time_unix_nano - span.start_time_unix_nano,
        "attributes": _plain(span.attributes),
        "is_error": span.status.code == 2,
        "message": span.status.message,
    }


@contextmanager
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            state.posts.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = b"{}"
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
