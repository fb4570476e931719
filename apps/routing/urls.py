from django.urls import path

from apps.routing import views

urlpatterns = [
    path("<slug:organization>/", views.overview, name="overview"),
]
