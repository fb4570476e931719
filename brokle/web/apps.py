from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "brokle.web"
    label = "web"
    verbose_name = "Console"

    def ready(self) -> None:
        from django.urls import register_converter

        from brokle.kernel.extensions import OutboxHandler, outbox_handlers
        from brokle.web import checks  # noqa: F401 - importing registers them
        from brokle.web.converters import IdConverter
        from brokle.web.mail.sending import TOPIC, deliver
        from brokle.web.navigation import register_sections
        from brokle.web.queries import watch_queries

        register_converter(IdConverter, "id")
        register_sections()
        outbox_handlers.register("mail", OutboxHandler(TOPIC, deliver))
        watch_queries()
