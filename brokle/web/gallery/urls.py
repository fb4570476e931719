from django.urls import path

from brokle.web.gallery import views

urlpatterns = [
    path("", views.components, name="gallery"),
    path("/pages/<slug:name>", views.page, name="gallery-page"),
]
