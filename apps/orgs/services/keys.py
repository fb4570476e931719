"""Issue, change, rotate and revoke API keys. Only the HMAC under the pepper is kept."""

import secrets
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from apps.orgs.contracts import IssuedKey
from apps.orgs.models import ApiKey, BudgetWindow, Environment
from apps.orgs.services.records import record
from brokle.edge.principal import SCOPES, digest
from brokle.ground.services import SYSTEM, Actor, touch_snapshot
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Conflict, Invalid
from brokle.kernel.ids import new_id

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 40
_SHORTEST: Final = 24


def checksum(text: str) -> str:
    """Six base62 digits of CRC-32, so that a scanner can tell a real key from a look-alike."""
    number, out = zlib.crc32(text.encode()), []
    for _ in range(6):
        number, digit = divmod(number, 62)
        out.append(_ALPHABET[digit])
    return "".join(reversed(out))


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def generate(*, is_live: bool) -> tuple[str, str]:
    """`bk_<live|test>_<id>_<secret>_<crc>` and its id."""
    short, secret = random_text(12), random_text(_SECRET_LENGTH)
    body = f"bk_{'live' if is_live else 'test'}_{short}_{secret}"
    return f"{body}_{checksum(body)}", short


FILE: Final = "file"
"""Who made the keys of the configuration file."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where, for what and how much a key may be used. Empty lists and None allow all."""

    allowed_models: list[str] = field(default_factory=list)
    allowed_ips: list[str] = field(default_factory=list)
    allowed_origins: list[str] = field(default_factory=list)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    budget_usd_micros: int | None = None
    budget_window: str = BudgetWindow.MONTH
    expires_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """Only what bounds, as JSON."""
        found = {name: value for name, value in asdict(self).items() if value}
        if not self.budget_usd_micros:
            found.pop("budget_window")
        if self.expires_at is not None:
            found["expires_at"] = self.expires_at.isoformat()
        return found


UNBOUND: Final = Bounds()


@transaction.atomic
def issue_key(
    *,
    environment: Environment,
    name: str,
    scopes: Sequence[str],
    actor: Actor,
    value: str = "",
    bounds: Bounds = UNBOUND,
) -> IssuedKey:
    """A new key, or one of exactly `value` for configuration."""
    key, value = keep_key(
        environment=environment, name=name, scopes=scopes, created_by=actor.id, value=value, bounds=bounds
    )
    record(key, actor, "key.created", after=creation_of(key))
    return IssuedKey(key.id, name, value, tuple(scopes))


def keep_key(
    *,
    environment: Environment,
    name: str,
    scopes: Sequence[str],
    created_by: str,
    value: str = "",
    bounds: Bounds = UNBOUND,
    **more: Any,
) -> tuple[ApiKey, str]:
    """The row and the secret, which is seen here for the only time; nobody is told of it yet."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Invalid(f"Scopes are any of {', '.join(SCOPES)}", field="scopes")
    if value and (not value.startswith("bk_") or len(value) < _SHORTEST or len(value) > 200 or not value.isascii()):
        raise Invalid(f"A key of your own starts with bk_ and has at least {_SHORTEST} characters", field="value")
    check_bounds(bounds)
    if not value:
        value, _ = generate(is_live=environment.is_live)
    key = ApiKey.objects.create(
        organization_id=environment.organization_id,
        project_id=environment.project_id,
        environment=environment,
        name=name,
        hash=digest(settings.PEPPER, value.encode()),
        prefix=value[:12],
        last_four=value[-4:],
        scopes=list(scopes),
        created_by=created_by,
        **{"id": new_id("key"), **asdict(bounds), **more},
    )
    touch_snapshot(kind="key", object_id=key.hash)
    return key, value


@transaction.atomic
def update_key(
    *, key: ApiKey, actor: Actor, bounds: Bounds, name: str = "", scopes: Sequence[str] | None = None
) -> ApiKey:
    """Everything but the secret; on every edge within a second."""
    if key.revoked_at is not None:
        raise Conflict("This API key is revoked; create another")
    refuse_file_owned(key, actor)
    check_bounds(bounds)
    before = _facts(key)
    key.name, key.scopes = name or key.name, list(scopes) if scopes is not None else key.scopes
    for field_name, given in asdict(bounds).items():
        setattr(key, field_name, given)
    after = _facts(key)
    if before == after:
        return key
    key.save()
    touch_snapshot(kind="key", object_id=key.hash, urgent=True)
    record(key, actor, "key.updated", before=before, after={**after, **_place(key)})
    return key


@transaction.atomic
def rotate_key(*, key: ApiKey, actor: Actor, overlap: timedelta, clock: Clock = utc_now) -> IssuedKey:
    """A successor with the same rights and bounds; the former key works on for the overlap and no longer."""
    key = ApiKey.objects.of(key.organization_id).select_for_update().select_related("environment").get(id=key.id)
    refuse_file_owned(key, actor)
    now = clock()
    if key.revoked_at is not None or key.rotated_to or (key.expires_at is not None and key.expires_at <= now):
        raise Conflict("This API key was revoked, rotated or has expired; create another")
    bounds = bounds_of(key)
    issued = issue_key(environment=key.environment, name=key.name, scopes=key.scopes, actor=actor, bounds=bounds)
    ends_at = now + overlap
    key.expires_at = min(ends_at, key.expires_at) if key.expires_at else ends_at
    key.rotated_to = issued.key_id
    key.save(update_fields=["expires_at", "rotated_to"])
    touch_snapshot(kind="key", object_id=key.hash, urgent=True)
    after = {
        "name": key.name,
        "rotated_to": issued.key_id,
        "expires_at": key.expires_at.isoformat(),
        **_place(key),
    }
    record(key, actor, "key.rotated", before={"name": key.name}, after=after)
    return issued


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Actor, at: datetime) -> None:
    """Dead at once in PostgreSQL, within a second on every edge."""
    if key.revoked_at is not None:
        return
    refuse_file_owned(key, actor)
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
    touch_snapshot(kind="key", object_id=key.hash, urgent=True)
    record(key, actor, "key.revoked", before={"name": key.name})


def refuse_file_owned(key: ApiKey, actor: Actor) -> None:
    if key.created_by == FILE and actor != SYSTEM:
        raise Conflict(f"The key `{key.name}` is owned by the configuration file; change it there")


def bounds_of(key: ApiKey) -> Bounds:
    return Bounds(**{declared.name: getattr(key, declared.name) for declared in fields(Bounds)})


def check_bounds(bounds: Bounds) -> None:
    for cidr in bounds.allowed_ips:
        try:
            ip_network(cidr, strict=False)
        except ValueError:
            raise Invalid(f"{cidr[:60]!r} is not an address or a CIDR", field="allowed_ips") from None
    for origin in bounds.allowed_origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
            raise Invalid(f"{origin[:60]!r} is not an origin such as https://app.example", field="allowed_origins")


def creation_of(key: ApiKey) -> dict[str, Any]:
    """What the audit log says of a new key."""
    return {**_facts(key), **_place(key)}


def _facts(key: ApiKey) -> dict[str, Any]:
    return {"name": key.name, "scopes": key.scopes, **bounds_of(key).facts()}


def _place(key: ApiKey) -> dict[str, str]:
    return {"environment": key.environment_id}
