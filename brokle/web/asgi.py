"""The control plane as one ASGI application: Django over HTTP, `/ws` over websockets."""

from typing import Any, Final

_DOWNLOADS: Final = 3
"""That many at once in a process; more wait."""


def control_plane() -> Any:
    import django

    django.setup()
    from concurrent.futures import ThreadPoolExecutor

    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.conf import settings
    from django.urls import path

    from brokle.web.live.consumer import LiveConsumer
    from brokle.web.live.traced import PATH, traced
    from brokle.web.threads import ThreadedHandler

    live = URLRouter([path(PATH, LiveConsumer.as_asgi())])
    return ProtocolTypeRouter(
        {
            "http": ThreadedHandler(
                ThreadPoolExecutor(settings.WEB_THREADS, "control-plane"), ThreadPoolExecutor(_DOWNLOADS, "downloads")
            ),
            "websocket": traced(AuthMiddlewareStack(live)),
        }
    )
