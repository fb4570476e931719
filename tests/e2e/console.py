"""The control plane alone, as an ASGI application."""

from brokle.web.asgi import control_plane

application = control_plane()
