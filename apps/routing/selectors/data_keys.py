"""An organization's own key, opened; it seals the organization's secrets and lies sealed under the installation's."""

from functools import lru_cache

from django.conf import settings

from apps.routing.models import DataKey
from brokle.kernel.sealing import Sealer


def place_of_key(organization_id: str) -> str:
    return f"data_key:{organization_id}"


def master() -> Sealer:
    return Sealer(settings.ROOT_SECRETS)


def find_sealer(organization_id: str) -> Sealer | None:
    """None where nothing was sealed yet."""
    found = DataKey.objects.of(organization_id).first()
    return sealer_of(found) if found else None


def sealer_of(key: DataKey) -> Sealer:
    return _opened(bytes(key.sealed), key.organization_id, tuple(settings.ROOT_SECRETS))


@lru_cache(maxsize=1024)
def _opened(sealed: bytes, organization_id: str, roots: tuple[str, ...]) -> Sealer:
    """Opened once a process: a compiler asks for thousands of keys in a row."""
    opened = Sealer(roots).unseal(sealed, place=place_of_key(organization_id))
    return Sealer((opened.hex(),))
