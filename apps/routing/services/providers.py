"""Connect, change and remove providers and what an organization says of their models."""

import re
from typing import Any, Final

from django.db import transaction

from apps.routing.models import Owner, Provider, ProviderModel
from apps.routing.selectors.catalogue import find_provider
from apps.routing.selectors.providers import address_of, places_in
from apps.routing.services.credentials import add_credential
from apps.routing.services.records import record, touch_books
from brokle.edge.egress import EgressRefused
from brokle.edge.egress.urls import parse_url
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict, Invalid

_OPTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_FACTS: Final = ("name", "kind", "base_url", "is_open", "is_enabled", "options")
_MODEL_FACTS: Final = ("name", "upstream_name", "prices", "context", "max_output", "mode", "capabilities")


@transaction.atomic
def create_provider(
    *,
    organization_id: str,
    project_id: str | None,
    actor: Actor,
    name: str,
    kind: str,
    secret: str = "",
    **facts: Any,
) -> Provider:
    """For one project, or without one for all of them. The catalogue gives the address where none is said."""
    provider = Provider(organization_id=organization_id, project_id=project_id, name=name, kind=kind)
    provider.base_url = facts.pop("base_url", "") or default_address(kind)
    for field, value in facts.items():
        setattr(provider, field, value)
    check_provider(provider)
    _refuse_double(provider)
    provider.save(force_insert=True)
    record(organization_id, actor, "provider.created", provider.id, after=facts_of(provider))
    if secret:
        add_credential(provider=provider, secret=secret, actor=actor, name="first")
    touch_books(organization_id, project_id)
    return provider


@transaction.atomic
def update_provider(*, provider: Provider, actor: Actor, **changes: Any) -> Provider:
    refuse_file_owned(provider)
    before = facts_of(provider)
    for name, value in changes.items():
        setattr(provider, name, value)
    if facts_of(provider) == before:
        return provider
    check_provider(provider)
    if provider.name != before["name"]:
        _refuse_double(provider)
    provider.save(update_fields=list(changes))
    record(provider.organization_id, actor, "provider.changed", provider.id, before=before, after=facts_of(provider))
    touch_books(provider.organization_id, provider.project_id)
    return provider


@transaction.atomic
def remove_provider(*, provider: Provider, actor: Actor) -> None:
    refuse_file_owned(provider)
    record(provider.organization_id, actor, "provider.removed", provider.id, before=facts_of(provider))
    touch_books(provider.organization_id, provider.project_id)
    provider.delete()


@transaction.atomic
def add_model(*, provider: Provider, actor: Actor, name: str, **facts: Any) -> ProviderModel:
    """A model that the catalogue does not know, or another price for one that it knows."""
    refuse_file_owned(provider)
    rows = ProviderModel.objects.of(provider.organization_id)
    if rows.filter(provider=provider, name=name).exists():
        raise Conflict(f"This provider has a model `{name}`", field="name")
    upstream = facts.pop("upstream_name", "") or name
    model = rows.create(
        organization_id=provider.organization_id, provider=provider, name=name, upstream_name=upstream, **facts
    )
    _model_changed(provider, actor, "provider_model.created", model, after=facts_of_model(model))
    return model


@transaction.atomic
def update_model(*, model: ProviderModel, actor: Actor, **changes: Any) -> ProviderModel:
    """Changed prices are another revision: a request names the price it was charged by."""
    refuse_file_owned(model.provider)
    before = facts_of_model(model)
    for name, value in changes.items():
        setattr(model, name, value)
    after = facts_of_model(model)
    if after == before:
        return model
    model.revision += after["prices"] != before["prices"]
    model.save(update_fields=[*changes, "revision"])
    _model_changed(model.provider, actor, "provider_model.changed", model, before=before, after=after)
    return model


@transaction.atomic
def remove_model(*, model: ProviderModel, actor: Actor) -> None:
    refuse_file_owned(model.provider)
    _model_changed(model.provider, actor, "provider_model.removed", model, before=facts_of_model(model))
    model.delete()


def default_address(kind: str) -> str:
    facts = find_provider(kind)
    return facts.base_url if facts else ""


def check_provider(provider: Provider) -> None:
    """That it could be called: a known kind, an address with nothing left open."""
    if find_provider(provider.kind) is None:
        raise Invalid(f"there is no provider of the kind `{provider.kind}` in the catalogue", field="kind")
    if not provider.base_url:
        raise Invalid(f"provider `{provider.name}` needs a `base_url`", field="base_url")
    for option, value in provider.options.items():
        if not isinstance(value, str) or not _OPTION.fullmatch(value):
            raise Invalid(f"option `{option}` holds letters, digits, `.`, `_` and `-`", field="options")
    missing = [place for place in places_in(provider.base_url) if place not in provider.options]
    if missing:
        raise Invalid(f"the address needs the option `{missing[0]}`: {provider.base_url}", field="options")
    try:
        parse_url(address_of(provider))
    except EgressRefused as error:
        raise Invalid(f"provider `{provider.name}`: {error.detail}", field="base_url") from error


def refuse_file_owned(held: Any) -> None:
    if held.owner == Owner.FILE:
        raise Conflict(f"`{held.name}` is owned by the configuration file; change it there")


def facts_of(provider: Provider) -> dict[str, Any]:
    return {name: getattr(provider, name) for name in _FACTS}


def facts_of_model(model: ProviderModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in _MODEL_FACTS}


def _refuse_double(provider: Provider) -> None:
    rows = Provider.objects.of(provider.organization_id).filter(project_id=provider.project_id, name=provider.name)
    if rows.exclude(id=provider.id).exists():
        raise Conflict(f"There is a provider `{provider.name}` already", field="name")


def _model_changed(provider: Provider, actor: Actor, action: str, model: ProviderModel, **facts: Any) -> None:
    record(provider.organization_id, actor, action, model.id, **facts)
    touch_books(provider.organization_id, provider.project_id)
