"""The sections `providers` and `routes` of the configuration file."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from apps.orgs import facade as orgs
from apps.orgs.contracts import ProjectRef
from apps.routing.edge.book import KIND
from apps.routing.models import Credential, Owner, Provider, ProviderModel, Route, RouteVersion
from apps.routing.selectors.credentials import open_secret
from apps.routing.services.credentials import hint_of, seal
from brokle.edge.egress import EgressRefused
from brokle.edge.egress.urls import parse_url
from brokle.ground.services import SYSTEM, audit, touch_snapshot
from brokle.kernel.errors import Invalid
from brokle.settings.env import env

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")]
RouteName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$")]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=10_000)]

_DEAREST = 1_000_000
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


class FromEnvironment(msgspec.Struct, forbid_unknown_fields=True):
    env: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)] | FromEnvironment


class WeightedSecret(msgspec.Struct, forbid_unknown_fields=True):
    value: Secret
    weight: Weight = 1


class ModelEntry(msgspec.Struct, forbid_unknown_fields=True):
    id: ModelName
    upstream: ModelName | None = None
    context: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] | None = None
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


class ProviderEntry(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    kind: Literal["openai-compatible", "openai", "anthropic"]
    base_url: Annotated[str, msgspec.Meta(max_length=500)] = ""
    api_key: Secret | None = None
    api_keys: list[WeightedSecret] = []
    models: list[ModelEntry] = []

    def secrets(self) -> list[tuple[str, int]]:
        first = [WeightedSecret(self.api_key)] if self.api_key is not None else []
        return [(_said(entry.value), entry.weight) for entry in [*first, *self.api_keys]]


class TargetEntry(msgspec.Struct, forbid_unknown_fields=True):
    model: ModelName
    weight: Weight = 1


class RouteEntry(msgspec.Struct, forbid_unknown_fields=True):
    name: RouteName
    targets: Annotated[list[TargetEntry], msgspec.Meta(min_length=1)]
    strategy: Literal["fallback", "weighted"] = "fallback"
    retries: Count = 0
    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] = 600_000


_BASE_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def apply_providers(entries: list[ProviderEntry]) -> None:
    """Into the default organization, for all of its projects."""
    _refuse_doubles([entry.name for entry in entries])
    if not entries and not Provider.objects.across_organizations().filter(owner=Owner.FILE).exists():
        return
    place = orgs.ensure_default_project()
    held = {p.name: p for p in Provider.objects.of(place.organization_id).filter(project=None)}
    changed = [_put_provider(place.organization_id, entry, held.get(entry.name)) for entry in entries]
    gone = [p for p in held.values() if p.owner == Owner.FILE and p.name not in {entry.name for entry in entries}]
    for provider in gone:
        _record(place.organization_id, "provider.removed", "provider", provider.id, before={"name": provider.name})
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
    changed = [_put_route(place, entry, held.get(entry.name)) for entry in entries]
    gone = [r for r in held.values() if r.owner == Owner.FILE and r.name not in {entry.name for entry in entries}]
    for route in gone:
        _record(place.organization_id, "route.removed", "route", route.id, before={"name": route.name})
        route.delete()
    if any(changed) or gone:
        touch_snapshot(kind=KIND, object_id=place.project_id)


def touch_books(organization_id: str) -> None:
    for project_id in orgs.list_project_ids(organization_id=organization_id):
        touch_snapshot(kind=KIND, object_id=project_id)


def _put_provider(organization_id: str, entry: ProviderEntry, held: Provider | None) -> bool:
    base_url = entry.base_url or _BASE_URLS.get(entry.kind, "")
    if not base_url:
        raise Invalid(f"provider `{entry.name}` needs a `base_url`")
    _check_url(entry.name, base_url)
    facts = {"kind": entry.kind, "base_url": base_url, "is_open": not entry.models, "owner": Owner.FILE}
    provider = held or Provider(organization_id=organization_id, name=entry.name)
    before = {name: getattr(provider, name) for name in facts}
    for name, value in facts.items():
        setattr(provider, name, value)
    is_changed = held is None or before != facts
    if is_changed:
        provider.save()
    is_changed |= _put_models(provider, entry.models)
    is_changed |= _put_credentials(provider, entry.secrets())
    if is_changed:
        action = "provider.created" if held is None else "provider.updated"
        after = {"name": entry.name, "kind": entry.kind, "base_url": base_url, "models": len(entry.models)}
        _record(organization_id, action, "provider", provider.id, after=after)
    return is_changed


def _put_models(provider: Provider, entries: list[ModelEntry]) -> bool:
    """A changed price is a new row: its id is the version that calls are priced by."""
    _refuse_doubles([entry.id for entry in entries])
    wanted = {entry.id: (entry.upstream or entry.id, entry.prices(), entry.context) for entry in entries}
    rows = ProviderModel.objects.of(provider.organization_id).filter(provider=provider)
    held = {row.name: (row.upstream_name, row.prices, row.context) for row in rows}
    stale = [name for name, facts in held.items() if wanted.get(name) != facts]
    rows.filter(name__in=stale).delete()
    fresh = [name for name in wanted if held.get(name) != wanted[name]]
    for name in fresh:
        upstream, prices, context = wanted[name]
        ProviderModel.objects.create(
            organization_id=provider.organization_id,
            provider=provider,
            name=name,
            upstream_name=upstream,
            prices=prices,
            context=context,
        )
    return bool(stale or fresh)


def _put_credentials(provider: Provider, secrets: list[tuple[str, int]]) -> bool:
    rows = list(Credential.objects.of(provider.organization_id).filter(provider=provider, environment=None))
    if [(open_secret(row), row.weight) for row in rows] == secrets:
        return False
    for row in rows:
        row.delete()
    for number, (secret, weight) in enumerate(secrets, start=1):
        row = Credential(organization_id=provider.organization_id, provider=provider, name=f"file {number}")
        row.sealed, row.hint, row.weight = seal(secret, credential_id=row.id), hint_of(secret), weight
        row.save()
    return True


def _put_route(place: ProjectRef, entry: RouteEntry, held: Route | None) -> bool:
    definition = msgspec.to_builtins(entry)
    definition.pop("name")
    if held is None:
        held = Route.objects.create(
            organization_id=place.organization_id, project_id=place.project_id, name=entry.name, owner=Owner.FILE
        )
        _add_version(held, 1, definition)
        _record(place.organization_id, "route.created", "route", held.id, after={"name": entry.name, **definition})
        return True
    current = RouteVersion.objects.of(place.organization_id).get(route=held, number=held.version)
    if current.definition == definition:
        return False
    newest = RouteVersion.objects.of(place.organization_id).filter(route=held).order_by("-number")[0].number
    held.version, held.owner = newest + 1, Owner.FILE
    held.save(update_fields=["version", "owner"])
    _add_version(held, held.version, definition)
    _record(place.organization_id, "route.changed", "route", held.id, before=current.definition, after=definition)
    return True


def _add_version(route: Route, number: int, definition: dict[str, Any]) -> None:
    RouteVersion.objects.create(
        organization_id=route.organization_id, route=route, number=number, definition=definition, created_by="file"
    )


def _record(organization_id: str, action: str, kind: str, target_id: str, **facts: Any) -> None:
    audit(organization_id=organization_id, actor=SYSTEM, action=action, target_kind=kind, target_id=target_id, **facts)


def _said(secret: Secret) -> str:
    if isinstance(secret, str):
        return secret
    value = env.outside(secret.env)
    if not value:
        raise Invalid(f"the environment variable {secret.env} is empty or missing")
    return value


def _check_url(name: str, base_url: str) -> None:
    try:
        parse_url(base_url)
    except EgressRefused as error:
        raise Invalid(f"provider `{name}`: {error.detail}") from error


def _refuse_doubles(names: list[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise Invalid(f"`{doubled}` is named twice")
