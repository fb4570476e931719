from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from brokle.web import api_reference, schema, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("preferences/language", views.choose_language, name="preferences-language"),
    path("preferences/theme", views.choose_theme, name="preferences-theme"),
    path("palette.json", views.palette, name="palette"),
    path("debug/", include("brokle.web.debug.urls")),
    path("api/schema/", schema.show_schema, name="api-schema"),
    path("api/docs/", api_reference.show_reference, name="api-docs"),
]

if settings.DEV:
    urlpatterns += [path("dev/gallery", include("brokle.web.gallery.urls"))]
