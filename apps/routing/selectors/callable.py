"""Names that a project's callers can ask for in a conversation."""

from typing import Final

from apps.routing.edge.echo_script import NAMES
from apps.routing.models import CatalogueModel, Provider
from apps.routing.selectors.providers import models_at, providers_at
from apps.routing.selectors.routes import routes_of

_MOST_LISTED: Final = 300
_CHAT: Final = "chat"


def list_chat_names(organization_id: str, *, project_id: str) -> list[str]:
    """Routes, then models of connected providers, the newest first, then the built-in ones; suggestions, not all."""
    routes = routes_of(organization_id, project_id=project_id).order_by("name").values_list("name", flat=True)
    own = models_at(organization_id, project_id=project_id).filter(provider__is_enabled=True, mode=_CHAT)
    named = [f"{model.provider.name}/{model.name}" for model in own.order_by("provider__name", "name")]
    connected = providers_at(organization_id, project_id=project_id).filter(is_enabled=True, is_open=True)
    echoes = [f"echo/{name}" for name in NAMES]
    return list(dict.fromkeys([*routes, *named, *_catalogued(list(connected.order_by("id"))), *echoes]))


def _catalogued(connected: list[Provider]) -> list[str]:
    kinds = [provider.kind for provider in connected]
    rows = CatalogueModel.objects.filter(provider__in=kinds, mode=_CHAT, is_deprecated=False)
    listed = rows.order_by("-released_on", "name").values_list("provider", "name")[:_MOST_LISTED]
    return [f"{provider.name}/{model}" for kind, model in listed for provider in connected if provider.kind == kind]
