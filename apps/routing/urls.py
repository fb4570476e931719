from django.urls import path

from apps.routing import views
from apps.routing.endpoints import catalogue, credentials, limits, models, providers, recosting, routes

_ITEM = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
_LIST = {"get": "list", "post": "create"}
_PROVIDER = "api/v1/providers/<id:provider_id>"
_CREDENTIAL = f"{_PROVIDER}/credentials/<id:credential_id>"
_ROUTE = "api/v1/routes/<id:route_id>"

Providers, Credentials, Models = (
    providers.ProviderEndpoints,
    credentials.CredentialEndpoints,
    models.ProviderModelEndpoints,
)
Routes, Versions, Recostings = routes.RouteEndpoints, routes.RouteVersionEndpoints, recosting.RecostingEndpoints
CatalogueModels = catalogue.CatalogueModelEndpoints

urlpatterns = [
    path(
        "api/v1/catalogue/providers",
        catalogue.CatalogueProviderEndpoints.as_view({"get": "list"}),
        name="api-catalogue-providers",
    ),
    path("api/v1/catalogue/models", CatalogueModels.as_view({"get": "list"}), name="api-catalogue-models"),
    path(
        "api/v1/catalogue/models/<id:model_id>",
        CatalogueModels.as_view({"get": "retrieve"}),
        name="api-catalogue-model",
    ),
    path(
        "api/v1/catalogue/prices",
        catalogue.ListPriceEndpoints.as_view({"get": "list"}),
        name="api-catalogue-prices",
    ),
    path("api/v1/providers", Providers.as_view(_LIST), name="api-providers"),
    path(_PROVIDER, Providers.as_view(_ITEM), name="api-provider"),
    path(f"{_PROVIDER}/test", Providers.as_view({"post": "test"}), name="api-provider-test"),
    path(f"{_PROVIDER}/credentials", Credentials.as_view(_LIST), name="api-credentials"),
    path(_CREDENTIAL, Credentials.as_view(_ITEM), name="api-credential"),
    path(f"{_CREDENTIAL}/rotate", Credentials.as_view({"post": "rotate"}), name="api-credential-rotate"),
    path(f"{_PROVIDER}/models", Models.as_view(_LIST), name="api-provider-models"),
    path(f"{_PROVIDER}/models/<id:model_id>", Models.as_view(_ITEM), name="api-provider-model"),
    path("api/v1/routes", Routes.as_view(_LIST), name="api-routes"),
    path(_ROUTE, Routes.as_view(_ITEM), name="api-route"),
    path(f"{_ROUTE}/rollback", Routes.as_view({"post": "rollback"}), name="api-route-rollback"),
    path(f"{_ROUTE}/explain", Routes.as_view({"post": "explain"}), name="api-route-explain"),
    path(f"{_ROUTE}/versions", Versions.as_view({"get": "list"}), name="api-route-versions"),
    path(f"{_ROUTE}/versions/<int:number>", Versions.as_view({"get": "retrieve"}), name="api-route-version"),
    path("api/v1/limits", limits.LimitEndpoints.as_view(_LIST), name="api-limits"),
    path("api/v1/limits/<id:limit_id>", limits.LimitEndpoints.as_view(_ITEM), name="api-limit"),
    path("api/v1/recostings", Recostings.as_view(_LIST), name="api-recostings"),
    path("api/v1/recostings/<id:recosting_id>", Recostings.as_view({"get": "retrieve"}), name="api-recosting"),
    path("<slug:organization>/", views.overview, name="overview"),
]
