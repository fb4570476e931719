"""Keys to providers, opened for those who send them on; nobody reads them back."""

from django.conf import settings
from django.db.models import QuerySet

from apps.routing.edge.book import place_of_credential
from apps.routing.models import Credential
from apps.routing.selectors.data_keys import find_sealer
from brokle.kernel.sealing import Sealer, UnableToUnseal


def place_at_rest(credential_id: str) -> str:
    return f"credential:{credential_id}"


def credentials_of(organization_id: str, *, provider_id: str) -> QuerySet[Credential]:
    return Credential.objects.of(organization_id).filter(provider_id=provider_id)


def open_secret(credential: Credential) -> str:
    sealer = find_sealer(credential.organization_id)
    if sealer is None:
        raise UnableToUnseal("the organization's data key is gone")
    return sealer.unseal(bytes(credential.sealed), place=place_at_rest(credential.id)).decode()


def sealed_for_edge(credential: Credential) -> bytes:
    place = place_of_credential(credential.id)
    return Sealer(settings.ROOT_SECRETS, "snapshot").seal(open_secret(credential).encode(), place=place)
