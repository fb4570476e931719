from django.apps import AppConfig


class LicenseConfig(AppConfig):
    name = "ee.license"
    label = "ee_license"
    verbose_name = "License"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from brokle.kernel.clock import utc_now
        from brokle.kernel.features import register_licence
        from brokle.settings.env import env
        from ee.license.services.current import LicenseInForce

        register_licence(LicenseInForce(env, utc_now).grants)
