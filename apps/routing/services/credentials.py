"""Keys to providers: sealed under the root secret, and bound to the row that holds them."""

from typing import Final

from django.conf import settings

from apps.routing.selectors.credentials import place_at_rest
from brokle.kernel.sealing import Sealer

_HINT_LENGTH: Final = 4


def seal(secret: str, *, credential_id: str) -> bytes:
    return Sealer(settings.ROOT_SECRETS).seal(secret.encode(), place=place_at_rest(credential_id))


def hint_of(secret: str) -> str:
    """As much as tells one's keys apart."""
    return f"…{secret[-_HINT_LENGTH:]}" if len(secret) >= 4 * _HINT_LENGTH else "…"
