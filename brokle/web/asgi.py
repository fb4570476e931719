"""The control plane as one ASGI application: Django over HTTP, `/ws` over websockets."""

from typing import Any


def control_plane() -> Any:
    import django

    django.setup()
    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.urls import path

    from brokle.web.bodies import BoundedHandler
    from brokle.web.live.closing import closable
    from brokle.web.live.consumer import LiveConsumer
    from brokle.web.live.traced import PATH, traced

    live = URLRouter([path(PATH, LiveConsumer.as_asgi())])
    return ProtocolTypeRouter(
        {
            "http": BoundedHandler(),
            "websocket": closable(traced(AuthMiddlewareStack(live))),
        }
    )
