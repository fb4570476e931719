from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.db import transaction

from brokle.ground.models import OutboxEntry
from brokle.ground.outbox import deliver_due
from brokle.web.links import absolute_url
from brokle.web.mail import send_mail
from brokle.web.mail.sending import TOPIC, deliver, render
from tests.fakes.relay import relay

pytestmark = pytest.mark.engines

LINK = "https://ai.example.com/auth/verify/MQ:abc?a=1&b=2"
NAMES = [
    "verify",
    "reset",
    "account-exists",
    "no-account",
    "address-taken",
    "confirm-address",
    "address-changed",
    "password-changed",
    "method-added",
    "method-removed",
]


class Texts(HTMLParser):
    """What a reader sees outside <bdi> and links."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        apart = any(tag in {"bdi", "style"} or (tag == "a" and attrs.get("dir") == "ltr") for tag, attrs in self.open)
        if not apart and data.strip():
            self.found.append(data.strip())


def facts():
    from datetime import UTC, datetime

    at = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
    return {
        "url": "",
        "at": at,
        "ip": "192.0.2.7",
        "device": "Firefox · Linux",
        "method": "Passkey",
        "new": "b@n.example",
    }


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("name", NAMES)
def test_every_mail_is_whole_in_both_languages(name, language):
    letter = render(name, to="amal@noor.example", language=language, context={**facts(), "url": LINK})

    assert letter.subject
    assert "\n" not in letter.subject
    assert LINK in letter.text
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in letter.html
    assert LINK.replace("&", "&amp;") in letter.html
    for text in (letter.text, letter.html):
        assert "{{" not in text
        assert "{%" not in text
    texts = Texts()
    texts.feed(letter.html)
    latin = [text for text in texts.found if any("a" <= sign.lower() <= "z" for sign in text)]
    assert (latin == []) is (language == "ar")


def test_what_a_person_wrote_is_escaped_in_html_and_plain_in_text():
    letter = render("address-changed", to="a@n.example", language="en", context={"new": "<b>x</b>&@n.example"})

    assert "&lt;b&gt;x&lt;/b&gt;&amp;@n.example" in letter.html
    assert "<b>x</b>&@n.example" in letter.text


def test_an_unknown_language_falls_back_to_english():
    assert render("reset", to="a@n.example", language="tlh", context={"url": LINK}).subject == "Set a new password"


def test_a_mail_is_promised_sealed_and_sent_by_the_worker(db):
    send_mail("verify", to="amal@noor.example", language="en", context={"url": LINK})
    row = OutboxEntry.objects.get(topic=TOPIC)

    assert mail.outbox == []
    assert "amal" not in str(row.payload)
    assert "verify" not in str(row.payload)
    assert deliver_due() == 1
    message = mail.outbox[0]
    assert (message.to, message.subject) == (["amal@noor.example"], "Confirm your e-mail address")
    assert message.alternatives[0][1] == "text/html"
    assert message.extra_headers["Message-ID"] == f"<{row.event_id}@localhost>"
    row.refresh_from_db()
    assert row.delivered_at is not None


@pytest.mark.django_db(transaction=True)
def test_what_does_not_commit_is_not_told():
    def change():
        with transaction.atomic():
            send_mail("verify", to="amal@noor.example", language="en", context={"url": LINK})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()

    assert OutboxEntry.objects.filter(topic=TOPIC).count() == 0


@pytest.mark.parametrize(("code", "is_kept"), [(450, False), (550, True)])
def test_a_mailbox_that_is_full_is_tried_later_and_one_that_does_not_exist_is_not(db, settings, code, is_kept):
    with relay() as mailbox:
        mailbox.refusal = code
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", urlsplit(mailbox.url).port
        send_mail("verify", to="amal@noor.example", language="en", context={"url": LINK})
        deliver_due()
    row = OutboxEntry.objects.get(topic=TOPIC)

    assert (row.delivered_at is not None) is is_kept
    assert row.last_error == ("" if is_kept else "SMTPRecipientsRefused")
    assert mailbox.mails == []


def test_a_payload_of_another_secret_is_not_sent(db, settings):
    send_mail("verify", to="amal@noor.example", language="en", context={"url": LINK})
    settings.ROOT_SECRETS = ["another"]
    payload = {**OutboxEntry.objects.get(topic=TOPIC).payload, "event_id": "evt_1"}
    with pytest.raises(Exception, match="sealed under another secret"):
        deliver(payload)

    assert mail.outbox == []


def test_links_stand_under_the_public_address(settings, rf):
    assert absolute_url("/x", rf.get("/")) == "http://testserver/x"
    settings.BASE_URL = "https://ai.example.com"
    assert absolute_url("/x", rf.get("/")) == "https://ai.example.com/x"
