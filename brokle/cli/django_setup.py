from brokle.settings.env import export_default


def ready() -> None:
    """Sets Django up for a command."""
    import django

    export_default("DJANGO_SETTINGS_MODULE", "brokle.settings.prod")
    django.setup()
