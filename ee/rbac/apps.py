from django.apps import AppConfig


class RbacConfig(AppConfig):
    name = "ee.rbac"
    label = "ee_rbac"
    verbose_name = "Roles"
    default_auto_field = "django.db.models.BigAutoField"
