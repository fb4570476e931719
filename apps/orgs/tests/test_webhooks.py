import pytest

from apps.orgs.models import Webhook, WebhookDelivery
from apps.orgs.services.deliveries import deliver_event, send_test
from apps.orgs.services.webhooks import WEBHOOKS_MAX, create_webhook
from apps.orgs.testing import call, make_household, make_member, signed_in
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM
from brokle.kernel.extensions import EventType, event_types

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
URL = "https://93.184.216.34/hooks/secret-path?token=abc"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def owner(noor):
    return signed_in(noor.owner)


def at(household, tail=""):
    return f"/api/v1/organizations/{household.id}/webhooks{tail}"


def made_at(household):
    return create_webhook(organization_id=household.id, url=URL, actor=SYSTEM).webhook


def test_a_webhook_is_made_shown_changed_and_deleted(noor, owner):
    answer = call(owner, "POST", at(noor), {"url": URL, "description": "billing", "event_types": ["key.created"]})
    made = answer.json()
    assert (answer.status_code, answer["location"]) == (201, at(noor, f"/{made['id']}"))
    assert made["secret"].startswith("whsec_")
    shown = call(owner, "GET", at(noor, f"/{made['id']}")).json()
    assert "secret" not in shown
    assert shown["url"] == URL
    assert shown["event_types"] == ["key.created"]
    assert (shown["is_enabled"], shown["disabled_reason"], shown["failing_since"]) == (True, "", None)

    changes = {"url": URL + "2", "event_types": [], "is_enabled": False}
    changed = call(owner, "PATCH", at(noor, f"/{made['id']}"), changes).json()
    assert (changed["url"], changed["event_types"], changed["disabled_reason"]) == (URL + "2", [], "by_hand")
    assert changed["description"] == "billing"
    again = call(owner, "PATCH", at(noor, f"/{made['id']}"), {"is_enabled": True}).json()
    assert (again["is_enabled"], again["disabled_at"], again["disabled_reason"]) == (True, None, "")
    assert [row["id"] for row in call(owner, "GET", at(noor)).json()["data"]] == [made["id"]]

    assert call(owner, "DELETE", at(noor, f"/{made['id']}")).status_code == 204
    assert call(owner, "GET", at(noor, f"/{made['id']}")).status_code == 404
    actions = AuditEntry.objects.filter(target_id=made["id"]).order_by("sequence")
    assert [entry.action for entry in actions] == [
        "webhook.created",
        "webhook.updated",
        "webhook.updated",
        "webhook.deleted",
    ]
    assert "secret-path" not in str([(entry.before, entry.after) for entry in actions])


def test_only_the_path_of_an_address_may_change(noor, owner):
    webhook = made_at(noor)
    call(owner, "PATCH", at(noor, f"/{webhook.id}"), {"url": "https://93.184.216.34/other"})
    assert Webhook.objects.of(noor.id).get().url == "https://93.184.216.34/other"


def test_a_rotation_shows_the_new_secret_once(noor, owner):
    webhook = made_at(noor)
    fresh = call(owner, "POST", at(noor, f"/{webhook.id}/rotate-secret")).json()

    assert fresh["secret"].startswith("whsec_")
    assert fresh["previous_secret_until"] is not None
    assert "secret" not in call(owner, "GET", at(noor, f"/{webhook.id}")).json()


def test_a_test_message_waits_in_the_log_and_is_replayable(noor, owner):
    webhook = made_at(noor)
    sent = call(owner, "POST", at(noor, f"/{webhook.id}/test"))
    assert (sent.status_code, sent.json()["event"], sent.json()["status"]) == (202, "webhook.test", "pending")
    log = at(noor, f"/{webhook.id}/deliveries")
    assert [row["id"] for row in call(owner, "GET", log).json()["data"]] == [sent.json()["id"]]
    assert call(owner, "GET", f"{log}?status=dead").json()["data"] == []
    assert call(owner, "GET", f"{log}?event=key.created").json()["data"] == []
    assert call(owner, "GET", f"{log}?status=sent").status_code == 400
    whole = call(owner, "GET", f"{log}/{sent.json()['id']}").json()
    assert (whole["log"], f'"id":"{whole["event_id"]}"' in whole["body"]) == ([], True)
    WebhookDelivery.objects.of(noor.id).update(status="dead", tries=12, error="upstream_timeout")
    again = call(owner, "POST", f"{log}/{sent.json()['id']}/replay")
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (202, "pending", "")


def test_tests_are_few_a_minute_and_none_where_the_webhook_is_off(noor, owner):
    webhook = made_at(noor)
    statuses = [call(owner, "POST", at(noor, f"/{webhook.id}/test")).status_code for _ in range(11)]
    assert statuses == [202] * 10 + [429]
    call(owner, "PATCH", at(noor, f"/{webhook.id}"), {"is_enabled": False})
    delivery = WebhookDelivery.objects.of(noor.id).first()
    assert (delivery.status, delivery.error) == ("dead", "webhook_disabled")
    assert call(owner, "POST", at(noor, f"/{webhook.id}/test")).status_code == 409
    assert call(owner, "POST", at(noor, f"/{webhook.id}/deliveries/{delivery.id}/replay")).status_code == 409
    assert WebhookDelivery.objects.of(noor.id).filter(status="pending").count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/hook",
        "https://127.1/hook",
        "https://2130706433/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[::ffff:127.0.0.1]/",
        "https://10.1.2.3/",
        "https://user:pass@93.184.216.34/",
        "http://93.184.216.34/",
        "ftp://93.184.216.34/",
        "javascript:alert(1)",
        "https://",
        "hook",
        "https://93.184.216.34/a b",
        "https://93.184.216.34:0/",
        "https://93.184.216.34/\\x",
        "https://localhost/",
        "",
        "https://93.184.216.34/\0",
        "https://93.184.216.34/" + "x" * 1_000_000,
        "\ud800",
        None,
        7,
        ["https://93.184.216.34/"],
    ],
)
def test_addresses_that_may_not_be_called_are_refused(noor, owner, url):
    answer = call(owner, "POST", at(noor), {"url": url})
    assert answer.status_code in {400, 413, 422}
    assert answer.json()["field"] == "url" or answer.status_code == 413
    webhook = made_at(noor)
    assert call(owner, "PATCH", at(noor, f"/{webhook.id}"), {"url": url}).status_code in {400, 413, 422}
    assert Webhook.objects.of(noor.id).get().url == URL


@pytest.mark.parametrize(
    "body",
    [
        {"event_types": ["no.such"]},
        {"event_types": "key.created"},
        {"event_types": ["key.created"] * 201},
        {"event_types": ["\0"]},
        {"description": "x" * 201},
        {"description": "\0"},
        {"is_enabled": "perhaps"},
    ],
)
def test_other_nonsense_is_refused_and_changes_nothing(noor, owner, body):
    webhook = made_at(noor)
    before = Webhook.objects.of(noor.id).values().get()
    assert call(owner, "PATCH", at(noor, f"/{webhook.id}"), body).status_code == 422
    assert Webhook.objects.of(noor.id).values().get() == before


def test_another_organization_finds_nothing_of_it(noor):
    zahra = make_household("zahra")
    webhook = made_at(noor)
    delivery = send_test(webhook=webhook, actor=SYSTEM)
    stranger = signed_in(zahra.owner)
    mine = made_at(zahra)
    tails = [
        ("GET", f"/{webhook.id}"),
        ("PATCH", f"/{webhook.id}"),
        ("DELETE", f"/{webhook.id}"),
        ("POST", f"/{webhook.id}/rotate-secret"),
        ("POST", f"/{webhook.id}/test"),
        ("GET", f"/{webhook.id}/deliveries"),
        ("GET", f"/{webhook.id}/deliveries/{delivery.id}"),
        ("POST", f"/{webhook.id}/deliveries/{delivery.id}/replay"),
        ("GET", f"/{mine.id}/deliveries/{delivery.id}"),
        ("POST", f"/{mine.id}/deliveries/{delivery.id}/replay"),
    ]
    before = list(Webhook.objects.of(noor.id).values()), list(WebhookDelivery.objects.of(noor.id).values())
    for household in (noor, zahra):
        assert [call(stranger, method, at(household, tail)).status_code for method, tail in tails] == [404] * 10
    assert before == (list(Webhook.objects.of(noor.id).values()), list(WebhookDelivery.objects.of(noor.id).values()))


def test_makers_look_and_managers_change(noor):
    webhook = made_at(noor)
    developer, viewer = (signed_in(make_member(noor, role)) for role in ("developer", "viewer"))

    assert call(developer, "GET", at(noor)).status_code == 200
    assert call(developer, "POST", at(noor), {"url": URL}).status_code == 403
    assert call(developer, "POST", at(noor, f"/{webhook.id}/rotate-secret")).status_code == 403
    assert call(viewer, "GET", at(noor)).status_code == 403
    assert Webhook.objects.of(noor.id).count() == 1


def test_there_is_an_end_to_the_number_of_webhooks(noor, owner):
    for _ in range(WEBHOOKS_MAX):
        made_at(noor)
    answer = call(owner, "POST", at(noor), {"url": URL})

    assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")
    assert Webhook.objects.of(noor.id).count() == WEBHOOKS_MAX


def test_the_catalogue_grows_with_the_rooms(noor, owner):
    with event_types.plugged("deployment.failed", EventType("deployment.failed", "A deployment failed")):
        found = call(owner, "GET", "/api/v1/event-types").json()["data"]
        assert {"key": "deployment.failed", "title": "A deployment failed"} in found
        answer = call(owner, "POST", at(noor), {"url": URL, "event_types": ["deployment.failed"]})
        assert answer.status_code == 201
        payload = {"event": "deployment.failed", "event_id": "evt_1", "organization_id": noor.id, "at": "x", "data": {}}
        deliver_event(payload)
    assert WebhookDelivery.objects.of(noor.id).get().event == "deployment.failed"
