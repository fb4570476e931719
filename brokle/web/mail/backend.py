"""Where no relay is set, mail is shown in the log, so that a self-hoster can still follow its links."""

import logging
from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

log = logging.getLogger("brokle.mail")


class ConsoleBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            log.info("mail", extra={"to": ", ".join(message.to), "subject": message.subject, "text": message.body})
        return len(email_messages)
