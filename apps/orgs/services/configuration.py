"""The section `keys` of the configuration file."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from django.conf import settings

from apps.orgs.models import ApiKey, Environment
from apps.orgs.services.first_start import DEFAULT, ensure_default_project
from apps.orgs.services.keys import FILE, Bounds, bounds_of, creation_of, keep_key, revoke_key, update_key
from apps.orgs.services.records import note
from brokle.edge.principal import SCOPES, digest
from brokle.ground.configuration import Secret, at_entry, said
from brokle.ground.services import SYSTEM, touch_snapshot
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Invalid
from brokle.kernel.money import Money

Scope = Literal["gateway", "ingest", "decide", "invoke", "admin"]
Rate = Annotated[int, msgspec.Meta(ge=1, le=2_000_000_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

_DEAREST = Decimal(10**9)


class Budget(msgspec.Struct, forbid_unknown_fields=True):
    usd: Decimal
    period: Literal["day", "month", "total"] = "month"
    hard: bool = True

    def micros(self) -> int:
        if not 0 < self.usd <= _DEAREST:
            raise Invalid(f"a budget lies above 0 and up to {_DEAREST} dollars", field="budget.usd")
        if not self.hard:
            raise Invalid("a key's budget is hard: leave `hard` out, or say true", field="budget.hard")
        return Money.of(self.usd).micros


class KeyEntry(msgspec.Struct, forbid_unknown_fields=True):
    """`value` is the key itself, any `bk_…` of at least 24 characters; of the environment it works in."""

    name: Name
    value: Secret
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: list(SCOPES)  # type: ignore[arg-type]
    )
    environment: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] = "production"
    rpm: Rate | None = None
    tpm: Rate | None = None
    budget: Budget | None = None
    models: list[ModelName] = []
    ips: list[str] = []
    origins: list[str] = []

    def bounds(self) -> Bounds:
        budget: dict[str, Any] = {}
        if self.budget is not None:
            budget = {"budget_usd_micros": self.budget.micros(), "budget_window": self.budget.period}
        return Bounds(
            allowed_models=self.models,
            allowed_ips=self.ips,
            allowed_origins=self.origins,
            requests_per_minute=self.rpm,
            tokens_per_minute=self.tpm,
            **budget,
        )


def apply_keys(entries: list[KeyEntry]) -> None:
    """Into the default project. A key that the file no longer names is revoked; named again, it works again."""
    rows = ApiKey.objects.across_organizations().filter(created_by=FILE)
    if not entries and not rows.exists():
        return
    place = ensure_default_project()
    wanted = set()
    for number, entry in enumerate(entries):
        with at_entry(number):
            wanted.add(_put_key(place.organization_id, entry, wanted))
    for key in ApiKey.objects.of(place.organization_id).filter(created_by=FILE, revoked_at=None):
        if key.hash not in wanted:
            revoke_key(key=key, actor=SYSTEM, at=utc_now())


def _put_key(organization_id: str, entry: KeyEntry, others: set[str]) -> str:
    value = said(entry.value)
    hashed = digest(settings.PEPPER, value.encode())
    if hashed in others:
        raise Invalid(f"the key `{entry.name}` has the value of another one", field="value")
    environment = _environment(organization_id, entry.environment)
    held = ApiKey.objects.across_organizations().filter(hash=hashed).first()
    if held is None:
        key, _value = keep_key(
            environment=environment,
            name=entry.name,
            scopes=entry.scopes,
            created_by=FILE,
            value=value,
            bounds=entry.bounds(),
        )
        # Noted and not announced: whoever wrote it into the file knows of it.
        note(key, SYSTEM, "key.created", after=creation_of(key))
        return hashed
    if held.created_by != FILE or held.organization_id != organization_id:
        raise Invalid(f"the key `{entry.name}` exists already and is not the file's; take another value", field="value")
    _renew(held, environment, entry)
    return hashed


def _renew(held: ApiKey, environment: Environment, entry: KeyEntry) -> None:
    """The same secret under what the file says now."""
    if held.revoked_at is not None or held.environment_id != environment.id:
        held.revoked_at, held.environment, held.project_id = None, environment, environment.project_id
        held.save(update_fields=["revoked_at", "environment", "project_id"])
        note(held, SYSTEM, "key.restored", after=creation_of(held))
        touch_snapshot(kind="key", object_id=held.hash)
    if (held.name, list(held.scopes), bounds_of(held)) != (entry.name, list(entry.scopes), entry.bounds()):
        update_key(key=held, actor=SYSTEM, bounds=entry.bounds(), name=entry.name, scopes=entry.scopes)


def _environment(organization_id: str, slug: str) -> Environment:
    rows = Environment.objects.of(organization_id).filter(project__slug=DEFAULT)
    found = rows.filter(slug=slug).first()
    if found is None:
        known = ", ".join(rows.order_by("slug").values_list("slug", flat=True))
        raise Invalid(f"the project `{DEFAULT}` has no environment `{slug}`; it has {known}", field="environment")
    return found
