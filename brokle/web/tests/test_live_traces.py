import pytest

from brokle.kernel.tracing import SERVER, tracer
from brokle.web.live.traced import note_refusal, traced, traceparent_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans():
    taken = []
    tracer.start(taken.append)
    yield taken
    tracer.stop()


async def application(scope, receive, send):
    with tracer.span("SELECT postgresql"):
        pass
    if scope.get("refuses"):
        note_refusal(4401)
    await send({"type": "websocket.accept"})
    assert tracer.current() is None
    with tracer.span("delivered later"):
        pass
    with tracer.begin("subscribe /ws", SERVER, traceparent_of(scope)):
        pass


async def open_socket(traceparent="", path="/ws", opened=application, **more):
    sent = []

    async def send(message):
        sent.append(message["type"])

    scope = {"type": "websocket", "path": path, "headers": [(b"traceparent", traceparent.encode())], **more}
    await traced(opened)(scope, None, send)
    return sent


async def test_the_span_ends_with_the_answer_and_what_follows_hangs_below_it(spans):
    assert await open_socket(f"00-{TRACE}-{PARENT}-01") == ["websocket.accept"]

    lookup, handshake, subscription = spans
    assert (handshake.name, handshake.trace_id, handshake.parent_id) == ("GET /ws", TRACE, PARENT)
    assert lookup.parent_id == subscription.parent_id == handshake.span_id
    assert handshake.ended_ns <= subscription.started_ns


async def test_without_a_caller_to_go_on_with_it_is_a_trace_of_its_own(spans):
    await open_socket("nonsense")

    assert len({span.trace_id for span in spans}) == 1
    assert [span.parent_id for span in spans if span.name == "GET /ws"] == [""]


async def test_what_the_caller_does_not_sample_leaves_nothing(spans):
    await open_socket(f"00-{TRACE}-{PARENT}-00")

    assert spans == []


async def test_a_refusal_is_noted_before_it_is_accepted(spans):
    await open_socket(refuses=True)

    assert [span.attributes.get("brokle.close_code") for span in spans] == [None, 4401, None]


async def test_a_failing_handshake_is_marked(spans):
    async def failing(scope, receive, send):
        raise LookupError("of whom it was")

    with pytest.raises(LookupError):
        await open_socket(opened=failing)

    assert [(span.name, span.failure) for span in spans] == [("GET /ws", "LookupError")]
    assert tracer.current() is None


async def test_a_path_that_nobody_answers_makes_none(spans):
    await open_socket(path="/elsewhere/a-users-words")

    assert "GET /ws" not in {span.name for span in spans}


async def test_without_a_collector_it_is_the_bare_application():
    assert await open_socket(f"00-{TRACE}-{PARENT}-01") == ["websocket.accept"]
