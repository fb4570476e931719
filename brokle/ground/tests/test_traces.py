import pytest

from brokle.ground import outbox
from brokle.ground.models import OutboxEntry
from brokle.ground.services import promise
from brokle.kernel.extensions import OutboxHandler, outbox_handlers
from brokle.kernel.tracing import SERVER, tracer

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def spans():
    taken = []
    tracer.start(taken.append)
    yield taken
    tracer.stop()


def deliver():
    seen = []
    with outbox_handlers.plugged("test", OutboxHandler("invoice.issued", seen.append)):
        assert outbox.deliver_due() == 1
    return seen


def test_a_promise_goes_on_with_the_trace_of_whoever_made_it(spans):
    with tracer.begin("POST /invoices", SERVER) as root:
        event_id = promise(topic="invoice.issued", payload={"invoice": "inv_1"})

    seen = deliver()

    [kept] = [span for span in spans if span.name == "outbox invoice.issued"]
    assert (kept.trace_id, kept.parent_id) == (root.trace_id, root.span_id)
    assert seen == [{"event_id": event_id, "invoice": "inv_1"}]
    assert {span.attributes["db.query.text"].split()[0] for span in spans if span.parent_id == kept.span_id} <= {
        "SAVEPOINT",
        "RELEASE",
    }


def test_without_tracing_the_payload_is_what_was_promised():
    promise(topic="invoice.issued", payload={"invoice": "inv_1"})

    assert OutboxEntry.objects.get().payload == {"invoice": "inv_1"}
    assert deliver()[0]["invoice"] == "inv_1"
