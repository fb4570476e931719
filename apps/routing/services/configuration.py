"""The sections `providers` and `routes` of the configuration file."""

from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec

from apps.orgs import facade as orgs
from apps.orgs.contracts import ProjectRef
from apps.routing.models import Credential, Owner, Provider, ProviderModel, Route
from apps.routing.selectors.catalogue import Mode, find_provider, list_providers
from apps.routing.selectors.credentials import open_secret
from apps.routing.services.credentials import keep_credential
from apps.routing.services.definitions import Definition, ModelName, RouteEntry, Weight
from apps.routing.services.providers import check_provider, default_address
from apps.routing.services.records import record, touch_books
from apps.routing.services.routes import create_route, remove_route, update_route
from brokle.ground.configuration import Secret, at_entry, said
from brokle.ground.services import SYSTEM
from brokle.kernel.errors import Invalid

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]

_DEAREST = 1_000_000
_MODEL_FACTS = ("upstream_name", "prices", "context", "max_output", "mode", "capabilities")
_PRICES = (
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
)


class WeightedSecret(msgspec.Struct, forbid_unknown_fields=True):
    value: Secret
    weight: Weight = 1


class ModelEntry(msgspec.Struct, forbid_unknown_fields=True):
    id: ModelName
    upstream: ModelName | None = None
    context: Tokens | None = None
    max_output: Tokens | None = None
    mode: Mode = "chat"
    capabilities: list[Name] = []
    input_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_5m_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    audio_input_usd_per_mtok: Decimal | None = None
    audio_output_usd_per_mtok: Decimal | None = None
    request_usd: Decimal | None = None

    def prices(self) -> dict[str, str]:
        """As exact text: a float would not come back as it was written."""
        given = {name: getattr(self, f"{name}_usd_per_mtok") for name in _PRICES} | {"request": self.request_usd}
        wrong = next((name for name, price in given.items() if price is not None and not 0 <= price <= _DEAREST), None)
        if wrong is not None:
            raise Invalid(f"model `{self.id}`: the price of `{wrong}` must lie between 0 and {_DEAREST} dollars")
        return {name: str(price) for name, price in given.items() if price is not None}

    def facts(self) -> dict[str, Any]:
        return {
            "upstream_name": self.upstream or self.id,
            "prices": self.prices(),
            "context": self.context,
            "max_output": self.max_output,
            "mode": self.mode,
            "capabilities": self.capabilities,
        }


class ProviderEntry(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    kind: str
    base_url: Annotated[str, msgspec.Meta(max_length=500)] = ""
    api_key: Secret | None = None
    api_keys: list[WeightedSecret] = []
    models: list[ModelEntry] = []
    options: dict[str, str] = {}
    open: bool | None = None

    def secrets(self) -> list[tuple[str, int]]:
        first = [WeightedSecret(self.api_key)] if self.api_key is not None else []
        return [(said(entry.value), entry.weight) for entry in [*first, *self.api_keys]]


def apply_providers(entries: list[ProviderEntry]) -> None:
    """Into the default organization, for all of its projects."""
    _refuse_doubles([entry.name for entry in entries])
    if not entries and not Provider.objects.across_organizations().filter(owner=Owner.FILE).exists():
        return
    place = orgs.ensure_default_project()
    held = {p.name: p for p in Provider.objects.of(place.organization_id).filter(project=None)}
    changed = []
    for number, entry in enumerate(entries):
        with at_entry(number):
            changed.append(_put_provider(place.organization_id, entry, held.get(entry.name)))
    gone = [p for p in held.values() if p.owner == Owner.FILE and p.name not in {entry.name for entry in entries}]
    for provider in gone:
        record(place.organization_id, SYSTEM, "provider.removed", provider.id, before={"name": provider.name})
        provider.delete()
    if any(changed) or gone:
        touch_books(place.organization_id)


def apply_routes(entries: list[RouteEntry]) -> None:
    """Into the default project."""
    _refuse_doubles([entry.name for entry in entries])
    if not entries and not Route.objects.across_organizations().filter(owner=Owner.FILE).exists():
        return
    place = orgs.ensure_default_project()
    held = {r.name: r for r in Route.objects.of(place.organization_id).filter(project_id=place.project_id)}
    for number, entry in enumerate(entries):
        with at_entry(number):
            _put_route(place, entry, held.get(entry.name))
    gone = [r for r in held.values() if r.owner == Owner.FILE and r.name not in {entry.name for entry in entries}]
    for route in gone:
        remove_route(route=route, actor=SYSTEM, owner=Owner.FILE)


def _put_provider(organization_id: str, entry: ProviderEntry, held: Provider | None) -> bool:
    if find_provider(entry.kind) is None:
        words = f"provider `{entry.name}`: the catalogue has no kind `{entry.kind}`{_closest(entry.kind)}"
        raise Invalid(words, field="kind")
    facts = {
        "kind": entry.kind,
        "base_url": entry.base_url or default_address(entry.kind),
        "is_open": not entry.models if entry.open is None else entry.open,
        "options": entry.options,
        "owner": Owner.FILE,
    }
    provider = held or Provider(organization_id=organization_id, name=entry.name)
    before = {name: getattr(provider, name) for name in facts}
    for name, value in facts.items():
        setattr(provider, name, value)
    is_changed = held is None or before != facts
    check_provider(provider)
    if is_changed:
        provider.save()
    is_changed |= _put_models(provider, entry.models)
    is_changed |= _put_credentials(provider, entry.secrets())
    if is_changed:
        action = "provider.created" if held is None else "provider.updated"
        after = {"name": entry.name, "kind": entry.kind, "base_url": provider.base_url, "models": len(entry.models)}
        record(organization_id, SYSTEM, action, provider.id, after=after)
    return is_changed


def _put_models(provider: Provider, entries: list[ModelEntry]) -> bool:
    _refuse_doubles([entry.id for entry in entries])
    wanted = {entry.id: entry.facts() for entry in entries}
    rows = ProviderModel.objects.of(provider.organization_id).filter(provider=provider)
    held = {row.name: {name: getattr(row, name) for name in _MODEL_FACTS} for row in rows}
    stale = [name for name, facts in held.items() if wanted.get(name) != facts]
    rows.filter(name__in=stale).delete()
    fresh = [name for name in wanted if held.get(name) != wanted[name]]
    for name in fresh:
        ProviderModel.objects.create(
            organization_id=provider.organization_id, provider=provider, name=name, **wanted[name]
        )
    return bool(stale or fresh)


def _put_credentials(provider: Provider, secrets: list[tuple[str, int]]) -> bool:
    rows = list(Credential.objects.of(provider.organization_id).filter(provider=provider, environment=None))
    if [(open_secret(row), row.weight) for row in rows] == secrets:
        return False
    for row in rows:
        row.delete()
    for number, (secret, weight) in enumerate(secrets, start=1):
        keep_credential(provider=provider, secret=secret, name=f"file {number}", weight=weight)
    return True


def _put_route(place: ProjectRef, entry: RouteEntry, held: Route | None) -> None:
    said = {name: getattr(entry, name) for name in Definition.__struct_fields__}
    definition = Definition(**said)
    if held is None:
        create_route(
            organization_id=place.organization_id,
            project_id=place.project_id,
            name=entry.name,
            definition=definition,
            actor=SYSTEM,
            owner=Owner.FILE,
        )
        return
    update_route(route=held, actor=SYSTEM, definition=definition, owner=Owner.FILE)


def _closest(kind: str) -> str:
    found = get_close_matches(kind, list_providers(), n=3)
    return f"; perhaps {' or '.join(f'`{name}`' for name in found)}" if found else ""


def _refuse_doubles(names: list[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise Invalid(f"`{doubled}` is named twice")
