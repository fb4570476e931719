import pytest

from brokle.kernel.tracing import CLIENT, NOTHING, SERVER, Tracer, parse_traceparent, tracer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans():
    taken = []
    tracer.start(taken.append)
    yield taken
    tracer.stop()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"00-{TRACE}-{PARENT}-01", (TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-00", (TRACE, PARENT, False)),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-may-bring", (TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_traceparent_is_read_as_w3c_says(text, found):
    assert parse_traceparent(text) == found


def test_a_trace_goes_on_and_its_parts_hang_below(spans):
    with tracer.begin("GET /x", SERVER, f"00-{TRACE}-{PARENT}-01") as root:
        onward = tracer.traceparent()
        with tracer.span("SELECT", CLIENT):
            pass

    child, parent = spans
    assert (parent.trace_id, parent.parent_id) == (TRACE, PARENT)
    assert (child.trace_id, child.parent_id) == (TRACE, parent.span_id)
    assert onward == f"00-{TRACE}-{root.span_id}-01"
    assert parent.started_ns <= child.started_ns <= child.ended_ns <= parent.ended_ns
    assert tracer.current() is None


def test_what_the_caller_does_not_sample_leaves_nothing(spans):
    with tracer.begin("GET /x", SERVER, f"00-{TRACE}-{PARENT}-00"), tracer.span("SELECT"):
        assert tracer.traceparent() == ""

    assert spans == []


def test_work_without_a_beginning_leaves_nothing(spans):
    with tracer.span("SELECT"):
        pass

    assert spans == []


def test_a_failure_is_named_by_class_and_never_by_text(spans):
    with pytest.raises(ValueError, match="a prompt"), tracer.begin("task", SERVER):
        raise ValueError("a prompt")

    assert spans[0].failure == "ValueError"


def test_switched_off_it_makes_nothing():
    off = Tracer()

    assert off.is_on is False
    assert off.span("SELECT") is NOTHING
    assert off.begin("GET", SERVER) is NOTHING
