"""What the data plane counts. Endpoints and codes are ours; nothing a caller sends becomes a label."""

from brokle.kernel.metrics import Counter, Histogram, counter, gauge, histogram

_requests = counter("brokle_edge_requests_total", "Requests the edge answered.", "endpoint", "status")
_latency = histogram("brokle_edge_request_seconds", "From the request's head to its last byte.", "endpoint")
_refused = counter("brokle_limits_refused_total", "Requests over their limit.", "endpoint")

redis_errors = counter("brokle_redis_errors_total", "Commands of the edge that Redis did not answer.").of()
snapshot_version = gauge(
    "brokle_snapshot_version", "Snapshot version of the process furthest behind.", merge="min"
).of()
snapshot_age = gauge(
    "brokle_snapshot_age_seconds", "Since the snapshot was last known to be current, in the worst process.", merge="max"
).of()
tasks = gauge("brokle_edge_tasks", "Tasks under way in the data plane's loops.").of()
spans_dropped = counter("brokle_trace_spans_dropped_total", "Spans that found the exporter's queue full.").of()
spans_sent = counter("brokle_trace_spans_sent_total", "Spans a collector took.").of()


class EndpointMeter:
    """Bound once per endpoint; a request costs a dictionary look-up, an addition and an observation."""

    __slots__ = ("_by_status", "_endpoint", "_latency", "_refused")

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._by_status: dict[int, Counter] = {}
        self._latency: Histogram = _latency.of(endpoint)
        self._refused = _refused.of(endpoint)

    def answered(self, status: int, nanoseconds: int) -> None:
        """A caller who hung up before an answer counts as 499, as everywhere."""
        found = self._by_status.get(status)
        if found is None:
            found = self._by_status[status] = _requests.of(self._endpoint, str(status or 499))
        found.inc()
        self._latency.observe(nanoseconds * 1e-9)

    def refused(self) -> None:
        self._refused.inc()
