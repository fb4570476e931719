from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "ee.insights"
    label = "ee_insights"
    verbose_name = "Insights"
    default_auto_field = "django.db.models.BigAutoField"
