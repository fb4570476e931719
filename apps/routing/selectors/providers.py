"""An organization's providers, and how the edge reaches them."""

import string
from collections.abc import Collection
from typing import Final

from django.db.models import Q, QuerySet

from apps.routing.models import Provider, ProviderModel
from apps.routing.selectors.catalogue import find_provider

DEFAULT_DIALECT: Final = "openai-compatible"


def providers_at(organization_id: str, *, project_id: str) -> QuerySet[Provider]:
    """Those of a project, and those that all projects of the organization share."""
    return Provider.objects.of(organization_id).filter(Q(project_id=project_id) | Q(project=None))


def models_of_provider(organization_id: str, *, provider_id: str) -> QuerySet[ProviderModel]:
    return ProviderModel.objects.of(organization_id).filter(provider_id=provider_id)


def models_at(organization_id: str, *, project_id: str, ids: Collection[str] | None = None) -> QuerySet[ProviderModel]:
    """What the organization says of models that a project can call."""
    rows = ProviderModel.objects.of(organization_id).select_related("provider")
    rows = rows.filter(Q(provider__project_id=project_id) | Q(provider__project=None))
    return rows if ids is None else rows.filter(id__in=ids)


def dialect_of(kind: str) -> str:
    facts = find_provider(kind)
    return facts.dialect if facts else DEFAULT_DIALECT


def auth_of(kind: str) -> str:
    facts = find_provider(kind)
    return facts.auth if facts else "bearer"


def endpoints_of(kind: str) -> list[str]:
    facts = find_provider(kind)
    return list(facts.endpoints) if facts else []


def address_of(provider: Provider) -> str:
    """With its places filled in."""
    return provider.base_url.format_map(provider.options) if "{" in provider.base_url else provider.base_url


def places_in(base_url: str) -> list[str]:
    """The names of what an address leaves open, such as a region."""
    return [name for _text, name, _form, _conversion in string.Formatter().parse(base_url) if name]
