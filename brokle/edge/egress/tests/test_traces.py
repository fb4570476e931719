import pytest

from brokle.edge.egress.door import Door
from brokle.edge.egress.policy import Policy
from brokle.kernel.tracing import SERVER, tracer
from tests.fakes.collectors import receiver


@pytest.fixture
def upstream():
    with receiver() as started:
        yield started


@pytest.fixture
def door():
    opened = Door(Policy(["127.0.0.1"]))
    yield opened
    opened.close()


def test_a_call_out_is_a_span_and_hands_the_trace_on(upstream, door):
    spans = []
    tracer.start(spans.append)
    try:
        with tracer.begin("POST /v1/chat/completions", SERVER) as root:
            assert door.fetch("POST", f"{upstream.url}/hook?token=secret", body=b"{}").status == 200
    finally:
        tracer.stop()

    call = spans[0]
    assert (call.name, call.parent_id) == ("POST 127.0.0.1", root.span_id)
    assert upstream.posts[0].headers["traceparent"] == call.traceparent()
    assert call.attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
        "http.response.status_code": 200,
    }


def test_without_tracing_nothing_is_added(upstream, door):
    door.fetch("POST", upstream.url, body=b"{}")

    assert "traceparent" not in upstream.posts[0].headers
