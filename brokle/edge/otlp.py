"""Spans to the operator's collector: OTLP over HTTP, in batches, from a thread of its own.

The queue is bounded and nothing waits for it: what does not fit is dropped and counted.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import brokle
from brokle.edge.egress.door import Door
from brokle.edge.egress.limits import Limits
from brokle.edge.egress.policy import FixedHost, Policy
from brokle.edge.meters import spans_dropped, spans_sent
from brokle.kernel.errors import BrokleError
from brokle.kernel.tracing import Span, tracer
from brokle.settings.env import Environment

log = logging.getLogger("brokle.edge.otlp")

_QUEUE_MAX = 8192
_BATCH = 512
_EVERY_S = 1.0
_LIMITS = Limits(connect_s=3, total_s=10)
_PORTS = {"http": 80, "https": 443}


class UnableToExport(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Collector:
    url: str
    headers: tuple[tuple[str, str], ...]
    service: str

    @classmethod
    def read(cls, environment: Environment) -> "Collector | None":
        base = environment.text("OTEL_EXPORTER_OTLP_ENDPOINT").rstrip("/")
        if not base:
            return None
        if urlsplit(base).scheme not in _PORTS:
            raise UnableToExport("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://")
        pairs = (item.partition("=") for item in environment.items("OTEL_EXPORTER_OTLP_HEADERS"))
        headers = tuple((name.strip().lower(), unquote(value.strip())) for name, _, value in pairs)
        return cls(f"{base}/v1/traces", headers, environment.text("OTEL_SERVICE_NAME"))

    def door(self, environment: Environment) -> Door:
        """The collector's host is the operator's own word, so it may be private; no other host is reached here."""
        parts = urlsplit(self.url)
        fixed = FixedHost(parts.hostname or "", parts.port or _PORTS[parts.scheme], "the operator's trace collector")
        return Door(Policy.from_environment(environment, fixed=[fixed]))


class SpanExporter:
    def __init__(self, collector: Collector, door: Door, role: str) -> None:
        self._collector = collector
        self._door = door
        self._role = role
        self._queue: deque[Span] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)

    def start(self) -> None:
        self._thread.start()
        tracer.start(self.take)

    def take(self, span: Span) -> None:
        if len(self._queue) >= _QUEUE_MAX:
            spans_dropped.inc()
            return
        self._queue.append(span)
        if len(self._queue) >= _BATCH:
            self._wake.set()

    def stop(self, seconds: float = 5.0) -> None:
        """What is queued still goes out, if the collector takes it in time."""
        tracer.stop()
        self._stopping = True
        self._wake.set()
        self._thread.join(seconds)
        self._door.close()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            self._send_queued()
        self._send_queued()

    def _send_queued(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            if not self._send(batch):
                spans_dropped.inc(len(batch))
                return

    def _send(self, batch: list[Span]) -> bool:
        headers = [("content-type", "application/x-protobuf"), *self._collector.headers]
        body = encode(batch, self._collector.service, self._role)
        try:
            answer = self._door.fetch("POST", self._collector.url, headers=headers, body=body, limits=_LIMITS)
        except (BrokleError, OSError) as error:
            self._report(type(error).__name__)
            return False
        if answer.status >= 300:
            self._report(f"status {answer.status}")
            return False
        self._is_failing = False
        spans_sent.inc(len(batch))
        return True

    def _report(self, reason: str) -> None:
        if not self._is_failing:
            log.warning("the trace collector does not take spans", extra={"reason": reason})
        self._is_failing = True


def encode(spans: list[Span], service: str, role: str) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
    from opentelemetry.proto.trace.v1.trace_pb2 import Status

    def attribute(name: str, value: str | float | bool) -> KeyValue:
        if isinstance(value, bool):
            return KeyValue(key=name, value=AnyValue(bool_value=value))
        if isinstance(value, int):
            return KeyValue(key=name, value=AnyValue(int_value=value))
        if isinstance(value, float):
            return KeyValue(key=name, value=AnyValue(double_value=value))
        return KeyValue(key=name, value=AnyValue(string_value=value))

    def wire(span: Span) -> WireSpan:
        status = Status(code=Status.STATUS_CODE_ERROR, message=span.failure) if span.failure else None
        return WireSpan(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=span.name,
            kind=WireSpan.SpanKind.ValueType(span.kind),
            start_time_unix_nano=span.started_ns,
            end_time_unix_nano=span.ended_ns,
            attributes=[attribute(name, value) for name, value in span.attributes.items()],
            status=status,
        )

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        [
            attribute("service.name", service),
            attribute("service.version", brokle.__version__),
            attribute("brokle.role", role),
        ]
    )
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "brokle", brokle.__version__
    scope.spans.extend(wire(span) for span in spans)
    serialized: bytes = request.SerializeToString()
    return serialized


def start_exporter(environment: Environment, role: str) -> SpanExporter | None:
    """None, and no cost anywhere, when no collector is set."""
    collector = Collector.read(environment)
    if collector is None:
        return None
    exporter = SpanExporter(collector, collector.door(environment), role)
    exporter.start()
    return exporter
