from django.apps import AppConfig


class ScimConfig(AppConfig):
    name = "ee.scim"
    label = "ee_scim"
    verbose_name = "SCIM"
    default_auto_field = "django.db.models.BigAutoField"
