"""One way to send a mail: rendered now, sealed into the outbox, given to the relay by the worker until it takes it."""

import base64
import json
import logging
import smtplib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from brokle.ground.services import promise
from brokle.kernel.sealing import Sealer
from brokle.web.context import RTL

log = logging.getLogger("brokle.mail")

TOPIC = "mail.send"
_PLACE = "mail"
_REFUSED_FOR_GOOD = 500


@dataclass(frozen=True, slots=True)
class Letter:
    to: str
    subject: str
    text: str
    html: str


def send_mail(template: str, *, to: str, language: str, context: Mapping[str, Any]) -> None:
    """Sends `email/<template>.txt` (first line: the subject) with `email/<template>.html` beside it.

    Call it inside the transaction of what it tells of: if that does not commit, nothing is sent. It never waits for
    the relay. Links in `context` must be absolute: `absolute_url` makes them.
    """
    letter = render(template, to=to, language=language, context=context)
    plain = json.dumps(asdict(letter)).encode()
    # Links in mails are keys; between here and the relay they lie in the database only sealed.
    promise(topic=TOPIC, payload={"sealed": base64.b64encode(_sealer().seal(plain, place=_PLACE)).decode()})


def render(template: str, *, to: str, language: str, context: Mapping[str, Any]) -> Letter:
    known = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    whole = {**context, "language": known, "direction": "rtl" if known in RTL else "ltr"}
    with translation.override(known):
        # Plain text has nothing to escape.
        first, _, text = render_to_string(f"email/{template}.txt", whole).strip().partition("\n")
        html = render_to_string(f"email/{template}.html", {**whole, "subject": first.strip()})
    return Letter(to, " ".join(first.split()), text.strip() + "\n", html)


def deliver(payload: dict[str, Any]) -> None:
    """The outbox handler. A relay that is away raises, and the promise is kept later."""
    plain = _sealer().unseal(base64.b64decode(payload["sealed"]), place=_PLACE)
    letter = Letter(**json.loads(plain))
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    message = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        to=[letter.to],
        # Stable, so that a mail given twice can be told by the mailbox.
        headers={"Message-ID": f"<{payload['event_id']}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(letter.html, "text/html")
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        if any(code < _REFUSED_FOR_GOOD for code, _ in error.recipients.values()):
            raise
        log.warning("mail refused for good", extra={"event_id": payload["event_id"]})


def _sealer() -> Sealer:
    return Sealer(settings.ROOT_SECRETS)
