"""Keys to providers: sealed under the organization's own key, and bound to the row that holds them."""

from typing import Any, Final

from django.db import transaction

from apps.routing.models import Credential, Provider
from apps.routing.selectors.credentials import open_secret, place_at_rest
from apps.routing.services.data_keys import ensure_sealer
from apps.routing.services.records import record, touch_books
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict

_HINT_LENGTH: Final = 4
_MOST: Final = 50


def seal(secret: str, *, organization_id: str, credential_id: str) -> bytes:
    return ensure_sealer(organization_id).seal(secret.encode(), place=place_at_rest(credential_id))


def hint_of(secret: str) -> str:
    """As much as tells one's keys apart."""
    return f"…{secret[-_HINT_LENGTH:]}" if len(secret) >= 4 * _HINT_LENGTH else "…"


@transaction.atomic
def add_credential(
    *, provider: Provider, secret: str, actor: Actor, name: str, weight: int = 1, environment_id: str | None = None
) -> Credential:
    """Never shown again. An environment's own keys shut out the shared ones there."""
    if Credential.objects.of(provider.organization_id).filter(provider=provider).count() >= _MOST:
        raise Conflict(f"A provider has at most {_MOST} keys")
    credential = keep_credential(
        provider=provider, secret=secret, name=name, weight=weight, environment_id=environment_id
    )
    record(provider.organization_id, actor, "credential.created", credential.id, after=facts_of(credential))
    touch_books(provider.organization_id, provider.project_id)
    return credential


def keep_credential(
    *, provider: Provider, secret: str, name: str, weight: int = 1, environment_id: str | None = None
) -> Credential:
    """The row alone; nobody is told of it yet."""
    credential = Credential(
        organization_id=provider.organization_id,
        provider=provider,
        environment_id=environment_id,
        name=name,
        weight=weight,
        hint=hint_of(secret),
    )
    credential.sealed = seal(secret, organization_id=provider.organization_id, credential_id=credential.id)
    credential.save(force_insert=True)
    return credential


@transaction.atomic
def update_credential(*, credential: Credential, actor: Actor, **changes: Any) -> Credential:
    before = facts_of(credential)
    for name, value in changes.items():
        setattr(credential, name, value)
    if facts_of(credential) == before:
        return credential
    credential.save(update_fields=list(changes))
    record(
        credential.organization_id,
        actor,
        "credential.changed",
        credential.id,
        before=before,
        after=facts_of(credential),
    )
    touch_books(credential.organization_id, credential.provider.project_id)
    return credential


@transaction.atomic
def rotate_credential(*, credential: Credential, secret: str, actor: Actor, clock: Clock = utc_now) -> Credential:
    """Another secret in the same place: within a second every edge sends the new one."""
    if open_secret(credential) == secret:
        return credential
    before = facts_of(credential)
    organization_id = credential.organization_id
    credential.sealed = seal(secret, organization_id=organization_id, credential_id=credential.id)
    credential.hint, credential.rotated_at = hint_of(secret), clock()
    credential.save(update_fields=["sealed", "hint", "rotated_at"])
    record(organization_id, actor, "credential.rotated", credential.id, before=before, after=facts_of(credential))
    touch_books(organization_id, credential.provider.project_id)
    return credential


@transaction.atomic
def remove_credential(*, credential: Credential, actor: Actor) -> None:
    record(credential.organization_id, actor, "credential.removed", credential.id, before=facts_of(credential))
    touch_books(credential.organization_id, credential.provider.project_id)
    credential.delete()


def facts_of(credential: Credential) -> dict[str, Any]:
    return {
        "name": credential.name,
        "provider": credential.provider_id,
        "environment": credential.environment_id,
        "weight": credential.weight,
        "hint": credential.hint,
    }
