"""Keys to providers, opened for those who send them on; nobody reads them back."""

from django.conf import settings

from apps.routing.edge.book import place_of_credential
from apps.routing.models import Credential
from brokle.kernel.sealing import Sealer


def place_at_rest(credential_id: str) -> str:
    return f"credential:{credential_id}"


def open_secret(credential: Credential) -> str:
    return Sealer(settings.ROOT_SECRETS).unseal(bytes(credential.sealed), place=place_at_rest(credential.id)).decode()


def sealed_for_edge(credential: Credential) -> bytes:
    place = place_of_credential(credential.id)
    return Sealer(settings.ROOT_SECRETS, "snapshot").seal(open_secret(credential).encode(), place=place)
