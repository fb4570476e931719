"""Make, renew and seal anew the organizations' own keys."""

import os
from typing import Final

from django.db import transaction

from apps.routing.models import Credential, DataKey
from apps.routing.selectors.credentials import place_at_rest
from apps.routing.selectors.data_keys import master, place_of_key, sealer_of
from apps.routing.services.records import record
from brokle.ground.services import SYSTEM, Actor
from brokle.kernel.sealing import Sealer

_BYTES: Final = 32


def ensure_sealer(organization_id: str) -> Sealer:
    """The organization's; its key is made with the first secret."""
    fresh = master().seal(os.urandom(_BYTES), place=place_of_key(organization_id))
    key, _made = DataKey.objects.of(organization_id).get_or_create(
        organization_id=organization_id, defaults={"sealed": fresh}
    )
    return sealer_of(key)


@transaction.atomic
def rotate_data_key(*, organization_id: str, actor: Actor = SYSTEM) -> int:
    """A new key, under which every secret of the organization is sealed anew; how many there were."""
    key = DataKey.objects.of(organization_id).select_for_update().first()
    if key is None:
        return 0
    former, plain = sealer_of(key), os.urandom(_BYTES)
    renewed = Sealer((plain.hex(),))
    rows = list(Credential.objects.of(organization_id).select_for_update())
    for row in rows:
        place = place_at_rest(row.id)
        row.sealed = renewed.seal(former.unseal(bytes(row.sealed), place=place), place=place)
    Credential.objects.of(organization_id).bulk_update(rows, ["sealed"], batch_size=500)
    key.sealed = master().seal(plain, place=place_of_key(organization_id))
    key.save(update_fields=["sealed"])
    record(organization_id, actor, "data_key.rotated", key.id, after={"secrets": len(rows)})
    return len(rows)


@transaction.atomic
def reseal_data_keys() -> int:
    """All organizations' keys under the newest secret key, so that a former one can be given up."""
    rows = list(DataKey.objects.across_organizations().select_for_update())
    for key in rows:
        place = place_of_key(key.organization_id)
        key.sealed = master().seal(master().unseal(bytes(key.sealed), place=place), place=place)
    DataKey.objects.across_organizations().bulk_update(rows, ["sealed"], batch_size=500)
    return len(rows)
