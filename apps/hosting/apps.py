from django.apps import AppConfig


class HostingConfig(AppConfig):
    name = "apps.hosting"
    label = "hosting"
    verbose_name = "Hosting"
    default_auto_field = "django.db.models.BigAutoField"
