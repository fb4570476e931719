"""API keys in every state, and personal tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.orgs.models import ApiKey, Environment, PersonalToken
from apps.orgs.services.keys import UNBOUND, Bounds, bounds_of, creation_of, keep_key
from apps.orgs.services.seeding.chronicle import Chronicle
from apps.orgs.services.seeding.people import Person
from apps.orgs.services.tokens import keep_token


def make_key(
    chronicle: Chronicle,
    at: datetime,
    environment: Environment,
    name: str,
    scopes: Sequence[str],
    *,
    by: Person,
    bounds: Bounds = UNBOUND,
    used_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    more: dict[str, Any] = {"id": chronicle.new_id("key", at), "created_at": at, "last_used_at": used_at}
    key, value = keep_key(
        environment=environment, name=name, scopes=scopes, created_by=by.user_id, bounds=bounds, **more
    )
    chronicle.tell(at, "key.created", key, by=by, after=creation_of(key))
    place = f"{environment.organization.slug}/{environment.project.slug}/{environment.slug}"
    return key, f"key {name} ({place}): {value}"


def rotate(
    chronicle: Chronicle, at: datetime, key: ApiKey, *, by: Person, overlap: timedelta, used_at: datetime
) -> str:
    successor, line = make_key(
        chronicle, at, key.environment, key.name, key.scopes, by=by, bounds=bounds_of(key), used_at=used_at
    )
    key.rotated_to, key.expires_at = successor.id, at + overlap
    key.save(update_fields=["rotated_to", "expires_at"])
    after = {
        "name": key.name,
        "rotated_to": successor.id,
        "expires_at": key.expires_at.isoformat(),
        "environment": key.environment_id,
    }
    chronicle.tell(at, "key.rotated", key, by=by, before={"name": key.name}, after=after)
    return line


def revoke(chronicle: Chronicle, at: datetime, key: ApiKey, *, by: Person) -> None:
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
    chronicle.tell(at, "key.revoked", key, by=by, before={"name": key.name})


def make_token(chronicle: Chronicle, at: datetime, person: Person, name: str, **more: Any) -> list[str]:
    """An account's matter: it stands in no organization's log, and outlives the organization."""
    row_id = chronicle.new_id("pat", at)
    if PersonalToken.objects.filter(user_id=person.user_id, name=name).exists():
        return []
    _token, value = keep_token(user_id=person.user_id, name=name, id=row_id, created_at=at, **more)
    return [f"personal token {name} of {person.email}: {value}"]
