"""When a key was last used: noted by every process in Redis, carried to where people see it."""

from datetime import UTC, datetime

from django.db.models import Q

from apps.orgs.models import ApiKey
from brokle.edge.key_use import USED
from brokle.engines.state import state

_TAKEN = f"{USED}:taken"


def note() -> int:
    """What a crash leaves under the second name is carried on by the next run."""
    store = state()
    if not store.exists(_TAKEN):
        if not store.exists(USED):
            return 0
        store.rename(USED, _TAKEN)
    seen = {key_id.decode(): datetime.fromtimestamp(int(at), UTC) for key_id, at in store.hgetall(_TAKEN).items()}
    rows = ApiKey.objects.across_organizations()
    noted = 0
    for key_id, at in seen.items():
        is_older = Q(last_used_at__isnull=True) | Q(last_used_at__lt=at)
        noted += rows.filter(is_older, id=key_id).update(last_used_at=at)
    store.delete(_TAKEN)
    return noted
