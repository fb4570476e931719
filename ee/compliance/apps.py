from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "ee.compliance"
    label = "ee_compliance"
    verbose_name = "Compliance"
    default_auto_field = "django.db.models.BigAutoField"
