import pytest

from brokle.edge.meters import spans_dropped, spans_sent
from brokle.edge.otlp import Collector, SpanExporter, UnableToExport, start_exporter
from brokle.kernel.tracing import SERVER, tracer
from brokle.settings.env import Environment
from tests.fakes.collectors import receiver


@pytest.fixture
def collector():
    with receiver() as started:
        yield started


def exporter_to(collector):
    return start_exporter(Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}), "test")


def test_nothing_is_started_without_a_collector():
    assert start_exporter(Environment({}), "test") is None
    assert not tracer.is_on


def test_an_address_that_is_none_is_refused():
    with pytest.raises(UnableToExport, match="http"):
        Collector.read(Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317"}))


def test_what_is_queued_at_the_end_is_still_sent_in_batches(collector):
    before = spans_sent.value
    exporter = exporter_to(collector)
    for number in range(1200):
        with tracer.begin(f"work {number}", SERVER) as span:
            span.set("text", "مرحبا")
            span.set("count", number)
            span.set("share", 0.5)
            span.set("yes", True)
    exporter.stop()

    found = collector.spans()
    assert [span["name"] for span in found] == [f"work {number}" for number in range(1200)]
    assert found[7]["attributes"] == {"text": "مرحبا", "count": 7, "share": 0.5, "yes": True}
    assert 3 <= len(collector.posts) <= 5
    assert spans_sent.value - before == 1200
    assert not tracer.is_on


def test_a_collector_that_refuses_costs_the_spans_and_nothing_else(collector):
    collector.status = 503
    before = spans_dropped.value
    exporter = exporter_to(collector)
    with tracer.begin("work", SERVER):
        pass
    exporter.stop()

    assert spans_dropped.value - before == 1


def test_a_full_queue_drops_and_counts(collector):
    reader = Collector.read(Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}))
    exporter = SpanExporter(reader, reader.door(Environment({})), "test")  # nobody empties the queue
    tracer.start(exporter.take)
    before = spans_dropped.value
    try:
        for _ in range(8192 + 5):
            with tracer.begin("work", SERVER):
                pass
    finally:
        tracer.stop()

    assert spans_dropped.value - before == 5
