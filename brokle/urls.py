"""Every address of the control plane, by room; rooms are named, not imported. Organization slugs come last."""

from django.urls import include, path

urlpatterns = [
    path("", include("brokle.web.urls")),
    path("", include("apps.users.urls")),
    path("", include("apps.orgs.urls")),
    path("", include("apps.routing.urls")),
]

handler400 = "brokle.web.errors.bad_request"
handler403 = "brokle.web.errors.permission_denied"
handler404 = "brokle.web.errors.page_not_found"
handler429 = "apps.users.views.limits.too_many_attempts"
handler500 = "brokle.web.errors.server_error"
