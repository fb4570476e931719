"""Standard Webhooks: secrets `whsec_…`, and `webhook-id`, `webhook-timestamp`, `webhook-signature` of a message."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.conf import settings

from apps.orgs.models import Webhook
from brokle.kernel.sealing import Sealer

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def seal(secret: str, *, webhook_id: str) -> bytes:
    return Sealer(settings.ROOT_SECRETS).seal(secret.encode(), place=f"webhook:{webhook_id}")


def secrets_of(webhook: Webhook, *, now: datetime) -> list[str]:
    """The one that counts, and while a rotation overlaps the one before it."""
    sealer, place = Sealer(settings.ROOT_SECRETS), f"webhook:{webhook.id}"
    found = [bytes(webhook.secret)]
    if webhook.previous_secret and webhook.previous_secret_until and webhook.previous_secret_until > now:
        found.append(bytes(webhook.previous_secret))
    return [sealer.unseal(sealed, place=place).decode() for sealed in found]


def signed_headers(*, message_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> list[tuple[str, str]]:
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", " ".join(_signature(key, content) for key in keys)),
    ]


def _signature(key: str, content: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(raw, content, hashlib.sha256)).decode()
