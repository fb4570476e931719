import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Judge
from standardwebhooks.webhooks import WebhookVerificationError

from apps.orgs.models import DeliveryStatus, Webhook, WebhookAttempt, WebhookDelivery
from apps.orgs.services import courier, deliveries, webhooks
from apps.orgs.services.courier import Courier
from apps.orgs.services.keys import issue_key
from apps.orgs.testing import make_household
from brokle.edge.egress import Limits, Policy
from brokle.edge.egress.door import Door
from brokle.ground.models import AuditEntry, OutboxEntry
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM, announce
from brokle.kernel.clock import utc_now
from tests.fakes.receivers import Reply, webhook_receiver

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
SECOND = timedelta(seconds=1)


class Later:
    """A clock that a test moves."""

    def __init__(self):
        self.now = utc_now() + timedelta(minutes=1)

    def __call__(self):
        return self.now


def settled(slug):
    """What happened while it was made is told already."""
    household = make_household(slug)
    while deliver_due():
        pass
    return household


@pytest.fixture
def noor():
    return settled("noor")


@pytest.fixture(scope="module")
def door():
    opened = Door(
        Policy(allow=["127.0.0.1"]), limits=Limits(connect_s=2, first_byte_s=2, idle_s=2, total_s=2), name="test-door"
    )
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return Later()


@pytest.fixture
def receiver():
    with webhook_receiver() as found:
        yield found


def hook(household, receiver, door, **more):
    return webhooks.create_webhook(organization_id=household.id, url=receiver.url, actor=SYSTEM, door=door, **more)


def happen(household, event="project.created", **data):
    announce(organization_id=household.id, event=event, data=data or {"id": "prj_1", "name": "Alpha"})
    while deliver_due():
        pass


def carry(courier):
    """Until nothing is under way."""
    while courier.step():
        pass


def rows(household, **narrow):
    return WebhookDelivery.objects.of(household.id).filter(**narrow)


def test_an_event_is_delivered_and_the_official_library_verifies_it(noor, receiver, door):
    made = hook(noor, receiver, door)
    issue_key(environment=noor.production, name="ci", scopes=["gateway"], actor=SYSTEM)
    deliver_due()
    carry(Courier(door=door))

    came = receiver.came[0]
    body = Judge(made.secret).verify(came.body, came.headers)
    assert (body["type"], body["organization_id"], body["data"]["name"]) == ("key.created", noor.id, "ci")
    assert (came.path, came.headers["content-type"]) == ("/hook", "application/json")
    delivery = rows(noor, event="key.created", webhook_id=made.webhook.id).get()
    assert came.headers["webhook-id"] == delivery.event_id == body["id"]
    assert (delivery.status, delivery.attempts, delivery.response_status) == (DeliveryStatus.DELIVERED, 1, 200)
    attempt = WebhookAttempt.objects.of(noor.id).get(delivery=delivery)
    assert (attempt.number, attempt.response_status, attempt.response_excerpt) == (1, 200, "ok")


def test_a_changed_body_or_another_secret_is_refused_by_the_judge(noor, receiver, door):
    made = hook(noor, receiver, door)
    happen(noor)
    carry(Courier(door=door))
    came = receiver.came[0]

    with pytest.raises(WebhookVerificationError):
        Judge(made.secret).verify(came.body + b" ", came.headers)
    with pytest.raises(WebhookVerificationError):
        Judge(hook(noor, receiver, door).secret).verify(came.body, came.headers)


def test_both_secrets_sign_for_a_day_after_a_rotation(noor, receiver, door, clock):
    made = hook(noor, receiver, door)
    fresh = webhooks.rotate_secret(webhook=made.webhook, actor=SYSTEM, clock=clock)
    happen(noor)
    carry(Courier(door=door, clock=clock))
    came = receiver.came[0]

    for secret in (made.secret, fresh.secret):
        assert Judge(secret).verify(came.body, came.headers)["type"] == "project.created"
    assert len(came.headers["webhook-signature"].split(" ")) == 2
    clock.now += timedelta(hours=24, seconds=1)
    happen(noor)
    carry(Courier(door=door, clock=clock))
    assert len(receiver.came[1].headers["webhook-signature"].split(" ")) == 1


def test_secrets_are_not_in_the_database(noor, receiver, door):
    made = hook(noor, receiver, door)
    stored = bytes(Webhook.objects.of(noor.id).get().secret)

    assert made.secret.startswith("whsec_")
    assert made.secret.encode() not in stored
    assert made.secret not in str(list(AuditEntry.objects.values()) + list(OutboxEntry.objects.values()))


def test_only_webhooks_that_listen_get_it_and_only_once(noor, receiver, door):
    every = hook(noor, receiver, door).webhook
    keys = hook(noor, receiver, door, event_types=["key.created"]).webhook
    off = hook(noor, receiver, door).webhook
    webhooks.update_webhook(webhook=off, actor=SYSTEM, is_enabled=False)
    zahra = settled("zahra")
    hook(zahra, receiver, door)
    happen(noor)
    payload = {"event_id": "evt_1", "event": "key.created", "data": {}, "organization_id": noor.id, "at": "x"}
    deliveries.deliver_event(payload)
    deliveries.deliver_event(payload)

    found = sorted(rows(noor).values_list("webhook_id", "event"))
    assert found == sorted([(every.id, "project.created"), (every.id, "key.created"), (keys.id, "key.created")])
    assert not rows(zahra).exists()


def test_a_failure_is_tried_again_with_back_off_until_it_is_delivered(noor, receiver, door, clock):
    hook(noor, receiver, door)
    receiver.replies(Reply(500, b"no"), Reply(302, b"", (("location", "/elsewhere"),)), Reply(204, b""))
    happen(noor)
    courier = Courier(door=door, clock=clock, chance=lambda: 0.5)
    carry(courier)
    delivery = rows(noor).get()
    assert (delivery.status, delivery.response_status) == (DeliveryStatus.PENDING, 500)
    assert delivery.next_attempt_at - clock.now == timedelta(seconds=5)

    clock.now += timedelta(seconds=4)
    carry(courier)
    assert len(receiver.came) == 1
    clock.now += SECOND
    carry(courier)
    assert rows(noor).get().next_attempt_at - clock.now == timedelta(seconds=30)
    clock.now += timedelta(seconds=30)
    carry(courier)

    delivery = rows(noor).get()
    assert (delivery.status, delivery.attempts, delivery.response_status) == (DeliveryStatus.DELIVERED, 3, 204)
    assert len({came.headers["webhook-id"] for came in receiver.came}) == 1
    assert {came.path for came in receiver.came} == {"/hook"}
    assert len({came.body for came in receiver.came}) == 1
    log = WebhookAttempt.objects.of(noor.id).order_by("number").values_list("number", "response_status")
    assert list(log) == [(1, 500), (2, 302), (3, 204)]
    assert Webhook.objects.of(noor.id).get().failing_since is None


def test_pauses_grow_to_a_day_and_after_three_days_the_delivery_is_dead(noor, receiver, door, clock):
    made = hook(noor, receiver, door)
    receiver.replies(Reply(503))
    happen(noor)
    began, pauses = clock.now, []
    courier = Courier(door=door, clock=clock, chance=lambda: 0.5)
    carry(courier)
    while rows(noor).get().status == DeliveryStatus.PENDING:
        delivery = rows(noor).get()
        pauses.append((delivery.next_attempt_at - clock.now).total_seconds())
        clock.now = delivery.next_attempt_at
        carry(courier)

    assert pauses == [5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200, 86400, 86400]
    delivery = rows(noor).get()
    assert (delivery.status, delivery.attempts, delivery.finished_at) == (DeliveryStatus.DEAD, 12, clock.now)
    assert timedelta(days=2) < clock.now - began < timedelta(days=3)
    receiver.replies(Reply(200))
    deliveries.replay(delivery=delivery, actor=SYSTEM, clock=clock)
    carry(courier)
    delivery = rows(noor).get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 13)
    assert receiver.came[-1].headers["webhook-id"] == receiver.came[0].headers["webhook-id"]
    assert Judge(made.secret)


def test_no_pause_leads_beyond_the_three_days(noor, receiver, door, clock):
    hook(noor, receiver, door)
    receiver.replies(Reply(503))
    happen(noor)
    began = rows(noor).get().began_at
    courier = Courier(door=door, clock=clock, chance=lambda: 1.0)
    carry(courier)
    while rows(noor).get().status == DeliveryStatus.PENDING:
        clock.now = rows(noor).get().next_attempt_at
        carry(courier)

    assert clock.now - began == timedelta(days=3)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("999999999999", 86400), ("soon", 0), ("-5", 0), ("", 0), ("\u0661", 0)],
)
def test_retry_after_in_seconds_is_honored_within_a_day(text, seconds):
    assert deliveries.retry_after_seconds(text, utc_now()) == seconds


def test_retry_after_as_a_date_is_honored():
    now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    assert deliveries.retry_after_seconds("Sat, 31 Jan 2026 12:10:00 GMT", now) == 600
    assert deliveries.retry_after_seconds("Sat, 31 Jan 2026 11:00:00 GMT", now) == 0


def test_a_receiver_that_asks_for_time_gets_it(noor, receiver, door, clock):
    hook(noor, receiver, door)
    receiver.replies(Reply(429, b"", (("retry-after", "600"),)))
    happen(noor)
    carry(Courier(door=door, clock=clock, chance=lambda: 0.5))

    assert rows(noor).get().next_attempt_at - clock.now == timedelta(seconds=600)


def test_gone_disables_the_webhook_and_tells(noor, receiver, door, clock):
    made = hook(noor, receiver, door)
    receiver.replies(Reply(410))
    happen(noor)
    happen(noor, "project.deleted")
    carry(Courier(door=door, clock=clock))

    webhook = Webhook.objects.of(noor.id).get(id=made.webhook.id)
    assert (webhook.is_enabled, webhook.disabled_reason, webhook.disabled_at) == (False, "gone", clock.now)
    assert list(rows(noor).values_list("status", flat=True)) == ["dead", "dead"]
    told = OutboxEntry.objects.get(payload__event="webhook.disabled").payload
    assert told["data"] == {"id": webhook.id, "name": "127.0.0.1", "reason": "gone"}


def test_three_days_of_nothing_but_failures_disable_and_one_success_begins_anew(noor, receiver, door, clock):
    hook(noor, receiver, door)
    courier = Courier(door=door, clock=clock, chance=lambda: 0.5)
    receiver.replies(Reply(500))
    happen(noor)
    carry(courier)
    clock.now += timedelta(days=2, hours=23)
    receiver.replies(Reply(200))
    carry(courier)
    assert Webhook.objects.of(noor.id).get().failing_since is None

    receiver.replies(Reply(500))
    happen(noor)
    carry(courier)
    clock.now += timedelta(days=3)
    happen(noor)
    carry(courier)
    webhook = Webhook.objects.of(noor.id).get()
    assert (webhook.is_enabled, webhook.disabled_reason) == (False, "failing")
    assert AuditEntry.objects.filter(action="webhook.disabled", organization_id=noor.id).count() == 1


def test_a_worker_killed_in_the_middle_sends_again_under_the_same_id(noor, receiver, door, clock):
    hook(noor, receiver, door)
    happen(noor)
    killed = courier.claim(room=1, failing=1, now=clock.now)
    assert courier.call(killed[0], door).status == 200
    carry(Courier(door=door, clock=clock))
    assert len(receiver.came) == 1
    clock.now += courier.LEASE
    carry(Courier(door=door, clock=clock))

    assert len(receiver.came) == 2
    assert len({came.headers["webhook-id"] for came in receiver.came}) == 1
    assert (rows(noor).get().status, rows(noor).get().attempts) == (DeliveryStatus.DELIVERED, 1)


def test_an_outcome_counts_once(noor, receiver, door, clock):
    hook(noor, receiver, door)
    happen(noor)
    parcel = courier.claim(room=1, failing=1, now=clock.now)[0]
    outcome = courier.call(parcel, door)
    deliveries.settle([outcome, outcome], clock=clock)

    assert rows(noor).get().attempts == 1
    assert WebhookAttempt.objects.of(noor.id).count() == 1


def test_a_long_answer_is_a_success_and_only_its_beginning_is_kept(noor, receiver, door):
    hook(noor, receiver, door)
    receiver.replies(Reply(200, b"\x00\xff<script>" + b"x" * 5_000_000))
    happen(noor)
    carry(Courier(door=door))

    attempt = WebhookAttempt.objects.of(noor.id).get()
    assert rows(noor).get().status == DeliveryStatus.DELIVERED
    assert attempt.response_excerpt == "\ufffd\ufffd<script>" + "x" * (2048 - 10)


def test_what_cannot_be_reached_says_why(noor, door, clock):
    with webhook_receiver() as gone:
        hook(noor, gone, door)
    happen(noor)
    carry(Courier(door=door, clock=clock))

    assert (rows(noor).get().response_status, rows(noor).get().error) == (None, "upstream_unreachable")


def test_an_address_that_turns_private_is_refused_at_the_call(noor, receiver, door, clock):
    hook(noor, receiver, door)
    happen(noor)
    closed = Door(Policy(), name="test-door")
    carry(Courier(door=closed, clock=clock))
    closed.close()

    assert receiver.came == []
    assert rows(noor).get().error == "egress_refused"


def test_a_hanging_receiver_delays_no_other_tenant(noor, door):
    zahra = settled("zahra")
    with webhook_receiver(holds=True) as hanging, webhook_receiver() as quick:
        for _ in range(10):
            hook(noor, hanging, door)
        hook(zahra, quick, door)
        for number in range(20):
            announce(organization_id=noor.id, event="project.created", data={"id": f"prj_{number}"})
        for number in range(50):
            announce(organization_id=zahra.id, event="project.created", data={"id": f"prj_{number}"})
        while deliver_due():
            pass
        assert (rows(noor).count(), rows(zahra).count()) == (200, 50)
        courier = Courier(door=door)
        began = time.perf_counter()
        while rows(zahra, status="delivered").count() < 50:
            courier.step()
        seconds = time.perf_counter() - began

        assert seconds < 2
        assert rows(noor, leased_until__isnull=False).count() == 8
        assert rows(noor, status="pending", attempts=0).count() == 200
        carry_until(courier, lambda: rows(noor, attempts=1).count() >= 8)
    data = [json.loads(came.body)["data"]["id"] for came in quick.came]
    assert sorted(data) == sorted(f"prj_{number}" for number in range(50))
    assert set(rows(noor, attempts=1).values_list("error", flat=True)) == {"upstream_timeout"}


def carry_until(courier, condition):
    while not condition():
        courier.step()


def test_failing_webhooks_together_leave_half_of_the_slots(noor, receiver, door, clock):
    for number in range(8):
        household = settled(f"failing-{number}")
        hook(household, receiver, door)
        Webhook.objects.of(household.id).update(failing_since=clock.now)
        happen(household)
        happen(household)
    hook(noor, receiver, door)
    happen(noor)
    taken = courier.claim(room=8, failing=4, now=clock.now)

    assert [parcel.is_failing for parcel in taken] == [False, True, True, True, True]
    assert len({parcel.outcome.organization_id for parcel in taken}) == 5


def test_old_deliveries_are_forgotten_and_waiting_ones_are_not(noor, receiver, door):
    hook(noor, receiver, door)
    happen(noor)
    carry(Courier(door=door))
    happen(noor)
    WebhookDelivery.objects.of(noor.id).update(created_at=utc_now() - timedelta(days=31))
    deliveries.forget_old()

    assert list(rows(noor).values_list("status", flat=True)) == ["pending"]


def test_a_secret_that_nobody_can_read_fails_its_own_deliveries_alone(noor, receiver, door, clock):
    hook(noor, receiver, door)
    broken = hook(noor, receiver, door).webhook
    Webhook.objects.of(noor.id).filter(id=broken.id).update(secret=b"sealed elsewhere")
    happen(noor)
    carry(Courier(door=door, clock=clock))

    assert [came.headers["webhook-id"] for came in receiver.came] == [rows(noor).first().event_id]
    failed = rows(noor, webhook_id=broken.id).get()
    assert (failed.status, failed.attempts, failed.error) == (DeliveryStatus.PENDING, 1, "secret_unreadable")
    assert rows(noor, status=DeliveryStatus.DELIVERED).count() == 1


class Fallen:
    """A door whose fault nobody foresaw."""

    def fetch(self, *arguments, **options):
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_foresaw_is_a_failed_attempt_and_not_the_couriers_end(noor, receiver, door, clock):
    hook(noor, receiver, door)
    happen(noor)
    carry(Courier(door=Fallen(), clock=clock))
    failed = rows(noor).get()
    assert (failed.status, failed.attempts, failed.error) == (DeliveryStatus.PENDING, 1, "internal_error")

    clock.now += timedelta(hours=1)
    carry(Courier(door=door, clock=clock))
    assert rows(noor, status=DeliveryStatus.DELIVERED).count() == 1
