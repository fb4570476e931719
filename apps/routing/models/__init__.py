from apps.routing.models.catalogue import CatalogueModel, CatalogueProvider, CatalogueVersion, ListPrice
from apps.routing.models.limits import BudgetNotice, Measured, Subject, UsageLimit, Window
from apps.routing.models.providers import Credential, DataKey, Owner, Provider, ProviderModel
from apps.routing.models.recostings import Recosting, RecostingStatus
from apps.routing.models.routes import Route, RouteVersion, Strategy
from apps.routing.models.settings import GatewaySettings

__all__ = [
    "BudgetNotice",
    "CatalogueModel",
    "CatalogueProvider",
    "CatalogueVersion",
    "Credential",
    "DataKey",
    "GatewaySettings",
    "ListPrice",
    "Measured",
    "Owner",
    "Provider",
    "ProviderModel",
    "Recosting",
    "RecostingStatus",
    "Route",
    "RouteVersion",
    "Strategy",
    "Subject",
    "UsageLimit",
    "Window",
]
