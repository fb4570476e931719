from django.urls import path

from apps.routing.endpoints import catalogue, credentials, limits, models, providers, recosting, routes, settings
from apps.routing.views import credentials as credential_pages
from apps.routing.views import limits as limit_pages
from apps.routing.views import models as model_pages
from apps.routing.views import overview
from apps.routing.views import playground as playground_pages
from apps.routing.views import providers as provider_pages
from apps.routing.views import requests as request_pages
from apps.routing.views import routes as route_pages

_ITEM = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
_LIST = {"get": "list", "post": "create"}
_PROVIDER = "api/v1/providers/<id:provider_id>"
_CREDENTIAL = f"{_PROVIDER}/credentials/<id:credential_id>"
_PROVIDER_PAGE = "<slug:organization>/providers/<id:provider_id>"
_CREDENTIAL_PAGE = f"{_PROVIDER_PAGE}/keys/<id:credential_id>"
_MODEL_PAGE = f"{_PROVIDER_PAGE}/models/<id:model_id>"
_LIMIT_PAGE = "<slug:organization>/limits/<id:limit_id>"
_ROUTE_PAGE = "<slug:organization>/routes/<id:route_id>"
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
    path(
        "api/v1/gateway/settings",
        settings.GatewaySettingsEndpoints.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="api-gateway-settings",
    ),
    path("api/v1/recostings", Recostings.as_view(_LIST), name="api-recostings"),
    path("api/v1/recostings/<id:recosting_id>", Recostings.as_view({"get": "retrieve"}), name="api-recosting"),
    path("<slug:organization>/", overview.overview, name="overview"),
    path("<slug:organization>/requests", request_pages.request_list, name="requests"),
    path("<slug:organization>/requests/<id:request_id>", request_pages.request_detail, name="request"),
    path("<slug:organization>/providers", provider_pages.provider_list, name="providers"),
    path("<slug:organization>/providers/own-keys", provider_pages.own_keys, name="own-keys"),
    path("<slug:organization>/providers/new", provider_pages.provider_new, name="provider-new"),
    path(_PROVIDER_PAGE, provider_pages.provider_detail, name="provider"),
    path(f"{_PROVIDER_PAGE}/test", provider_pages.provider_test, name="provider-test"),
    path(f"{_PROVIDER_PAGE}/remove", provider_pages.provider_remove, name="provider-remove"),
    path(f"{_PROVIDER_PAGE}/keys", credential_pages.credential_add, name="credential-add"),
    path(_CREDENTIAL_PAGE, credential_pages.credential_change, name="credential"),
    path(f"{_CREDENTIAL_PAGE}/remove", credential_pages.credential_remove, name="credential-remove"),
    path(f"{_PROVIDER_PAGE}/models", credential_pages.provider_model_add, name="provider-model-add"),
    path(_MODEL_PAGE, credential_pages.provider_model_change, name="provider-model"),
    path(f"{_MODEL_PAGE}/remove", credential_pages.provider_model_remove, name="provider-model-remove"),
    path("<slug:organization>/models", model_pages.model_list, name="models"),
    path("<slug:organization>/models/compare", model_pages.model_compare, name="models-compare"),
    path("<slug:organization>/limits", limit_pages.limit_list, name="limits"),
    path("<slug:organization>/limits/new", limit_pages.limit_new, name="limit-new"),
    path(_LIMIT_PAGE, limit_pages.limit_detail, name="limit"),
    path(f"{_LIMIT_PAGE}/remove", limit_pages.limit_remove, name="limit-remove"),
    path("<slug:organization>/playground", playground_pages.playground, name="playground"),
    path("<slug:organization>/playground/pass", playground_pages.playground_pass, name="playground-pass"),
    path("<slug:organization>/routes", route_pages.route_list, name="routes"),
    path("<slug:organization>/routes/new", route_pages.route_new, name="route-new"),
    path(_ROUTE_PAGE, route_pages.route_detail, name="route"),
    path(f"{_ROUTE_PAGE}/rollback", route_pages.route_rollback, name="route-rollback"),
    path(f"{_ROUTE_PAGE}/remove", route_pages.route_remove, name="route-remove"),
]
