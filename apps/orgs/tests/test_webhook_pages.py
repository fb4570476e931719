import json

import pytest

from apps.orgs.models import Webhook, WebhookAttempt, WebhookDelivery
from apps.orgs.services.deliveries import send_test
from apps.orgs.services.webhooks import create_webhook
from apps.orgs.testing import make_household, make_member, signed_in
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PAGES = "/noor/settings/webhooks"
URL = "https://93.184.216.34/hooks/secret-path"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def owner(noor):
    return signed_in(noor.owner)


@pytest.fixture
def webhook(noor):
    return create_webhook(organization_id=noor.id, url=URL, actor=SYSTEM).webhook


def text(answer):
    return answer.content.decode()


def test_an_empty_list_leads_to_the_first_webhook_and_its_secret_is_seen_once(noor, owner):
    assert f'href="{PAGES}/new"' in text(owner.get(PAGES))
    answer = owner.post(f"{PAGES}/new", {"url": URL, "description": "مرحبا", "event_types": ["key.created"]})
    webhook = Webhook.objects.of(noor.id).get()
    assert (answer.status_code, answer["location"]) == (302, f"{PAGES}/{webhook.id}")
    assert (webhook.description, webhook.event_types) == ("مرحبا", ["key.created"])
    first, second = text(owner.get(answer["location"])), text(owner.get(answer["location"]))

    assert first.count("whsec_") >= 1
    assert "whsec_" not in second
    assert "key.created" in second
    session = owner.session.items()
    assert "whsec_" not in json.dumps(dict(session))


def test_a_secret_made_anew_is_seen_once_by_who_made_it(noor, owner, webhook):
    admin = signed_in(make_member(noor, "admin"))
    answer = owner.post(f"{PAGES}/{webhook.id}/rotate")

    assert "whsec_" not in text(admin.get(answer["location"]))
    assert "whsec_" in text(owner.get(answer["location"]))
    assert "whsec_" not in text(owner.get(answer["location"]))


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"url": "https://127.0.0.1/"}, "id_url_error"),
        ({"url": "https://169.254.169.254/"}, "id_url_error"),
        ({"url": ""}, "id_url_error"),
        ({"url": "https://93.184.216.34/" + "x" * 100_000}, "id_url_error"),
        ({"url": "https://93.184.216.34/\0"}, "id_url_error"),
        ({"url": URL, "description": "\0"}, "id_description_error"),
        ({"url": URL, "event_types": ["no.such"]}, "id_event_types_error"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_made(noor, owner, webhook, form, field):
    for address in (f"{PAGES}/new", f"{PAGES}/{webhook.id}/edit"):
        answer = owner.post(address, form)
        assert answer.status_code == 422
        assert f'id="{field}"' in text(answer)
    assert Webhook.objects.of(noor.id).get().url == URL


def test_it_is_changed_disabled_enabled_and_deleted_by_its_host(noor, owner, webhook):
    page = f"{PAGES}/{webhook.id}"
    owner.post(f"{page}/edit", {"url": URL, "description": "new"})
    owner.post(f"{page}/switch", {"enabled": "no"})
    found = Webhook.objects.of(noor.id).get()
    assert (found.description, found.is_enabled, found.disabled_reason) == ("new", False, "by_hand")
    assert f"{page}/test" not in text(owner.get(page))
    owner.post(f"{page}/test")
    assert not WebhookDelivery.objects.of(noor.id).exists()
    owner.post(f"{page}/switch", {"enabled": "yes"})
    assert Webhook.objects.of(noor.id).get().is_enabled is True
    owner.post(f"{page}/delete", {"confirm": "example.com"})
    assert Webhook.objects.of(noor.id).exists()
    assert owner.post(f"{page}/delete", {"confirm": "93.184.216.34"})["location"] == PAGES
    assert not Webhook.objects.of(noor.id).exists()


def test_the_log_shows_what_came_back_and_never_as_markup(noor, owner, webhook):
    delivery = send_test(webhook=webhook, actor=SYSTEM)
    WebhookAttempt.objects.create(
        organization_id=noor.id,
        delivery=delivery,
        number=1,
        at=utc_now(),
        duration_ms=12,
        url=URL,
        response_status=500,
        response_excerpt="<script>alert(1)</script>",
    )
    page = text(owner.get(f"{PAGES}/{webhook.id}/deliveries/{delivery.id}"))

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert delivery.id in text(owner.get(f"{PAGES}/{webhook.id}?status=pending"))
    assert delivery.id not in text(owner.get(f"{PAGES}/{webhook.id}?status=dead"))
    assert owner.get(f"{PAGES}/{webhook.id}?status='&cursor=%00").status_code == 200


def test_a_long_log_has_pages(noor, owner, webhook):
    now = utc_now()
    rows = [
        WebhookDelivery(
            organization_id=noor.id,
            webhook=webhook,
            event_id=f"evt_{number}",
            event="key.created",
            body="{}",
            began_at=now,
            next_attempt_at=now,
        )
        for number in range(31)
    ]
    WebhookDelivery.objects.of(noor.id).bulk_create(rows)
    answer = owner.get(f"{PAGES}/{webhook.id}")
    assert len(answer.context["rows"]) == 30
    following = owner.get(f"{PAGES}/{webhook.id}?cursor={answer.context['table'].next_cursor}")

    assert len(following.context["rows"]) == 1
    assert following.context["table"].next_cursor == ""


def test_who_only_looks_is_shown_no_buttons(noor, webhook):
    developer = signed_in(make_member(noor, "developer"))
    page = text(developer.get(f"{PAGES}/{webhook.id}"))

    assert "/rotate" not in page
    assert "/delete" not in page
    assert signed_in(make_member(noor, "viewer")).get(PAGES).status_code == 403
    assert signed_in(make_household("zahra").owner).get(f"{PAGES}/{webhook.id}").status_code == 404
