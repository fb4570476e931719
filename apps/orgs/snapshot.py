"""API keys as the edge sees them: by hash, those that may be used and those it refuses with a reason."""

from collections.abc import Iterator

from django.db.models import QuerySet

from apps.orgs.models import ApiKey
from brokle.edge.principal import KeyRecord, encode_key


def _known() -> QuerySet[ApiKey]:
    """A key of a suspended organization stays known, so that its callers are told why it is refused."""
    keys = ApiKey.objects.across_organizations().filter(revoked_at__isnull=True, organization__purge_at__isnull=True)
    return keys.select_related("organization")


def _encode(key: ApiKey) -> bytes:
    is_suspended = key.organization.suspended_at is not None
    return encode_key(
        KeyRecord(
            key_id=key.id,
            organization_id=key.organization_id,
            project_id=key.project_id,
            environment_id=key.environment_id,
            # Without scopes a process that does not read the mark yet refuses the key too.
            scopes=[] if is_suspended else key.scopes,
            expires_at_s=int(key.expires_at.timestamp()) if key.expires_at else 0,
            requests_per_minute=key.requests_per_minute or 0,
            allowed_ips=key.allowed_ips,
            allowed_origins=key.allowed_origins,
            allowed_models=key.allowed_models,
            tokens_per_minute=key.tokens_per_minute or 0,
            budget_usd_micros=key.budget_usd_micros or 0,
            budget_window=key.budget_window,
            is_suspended=is_suspended,
        )
    )


def compile_key(object_id: str) -> bytes | None:
    key = _known().filter(hash=object_id).first()
    return _encode(key) if key else None


def compile_keys() -> Iterator[tuple[str, bytes]]:
    for key in _known().iterator(chunk_size=2000):
        yield key.hash, _encode(key)
