"""The cast of tests: a person with a verified address, the mails that were promised, and the audit entries."""

import base64
import json
import re
from typing import Any

import redis
from allauth.account.models import EmailAddress
from django.conf import settings

from apps.users.models import User
from brokle.ground.models import AuditEntry, OutboxEntry
from brokle.kernel.sealing import Sealer
from brokle.web.mail.sending import TOPIC, Letter

PASSWORD = "a-long-enough-password"  # noqa: S105 - known to every test


def make_verified_person(email: str = "amal@noor.example", **fields: Any) -> User:
    user = User.objects.create_user(email, PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def promised_letters() -> list[Letter]:
    """What the worker will send, in order."""
    sealer = Sealer(settings.ROOT_SECRETS)
    rows = OutboxEntry.objects.filter(topic=TOPIC).order_by("id")
    return [Letter(**json.loads(sealer.unseal(base64.b64decode(row.payload["sealed"]), place="mail"))) for row in rows]


def link_in(letter: Letter) -> str:
    """The path of the link in a mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", letter.text)
    assert found is not None, letter.text  # noqa: S101 - for tests only
    return found[1]


def account_actions() -> list[str]:
    return [
        entry.action.removeprefix("account.")
        for entry in AuditEntry.objects.filter(organization_id="", action__startswith="account.").order_by("sequence")
    ]


def forget_limits() -> None:
    """So that one test's attempts are not another's."""
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    for key in client.scan_iter("*allauth:rl*"):
        client.delete(key)
    client.close()
