from apps.routing.models.providers import Credential, Owner, Provider, ProviderModel
from apps.routing.models.routes import Route, RouteVersion, Strategy

__all__ = ["Credential", "Owner", "Provider", "ProviderModel", "Route", "RouteVersion", "Strategy"]
