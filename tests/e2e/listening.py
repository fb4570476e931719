"""When a page hears a live room: what is sent before reaches nobody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, WebSocket

from tests.house import House


@contextmanager
def listening(page: Page, home: House, room: str) -> Iterator[None]:
    """Around what opens the page; comes back once the server has let it into a room whose name begins so."""
    heard: list[dict[str, Any]] = []

    def meet(socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: heard.append(json.loads(text)))

    page.on("websocket", meet)
    yield
    if room:
        # Playwright tells of frames while it is asked something.
        home.wait_for(lambda: page.evaluate("true") and any(_lets_in(frame, room) for frame in heard))
    page.remove_listener("websocket", meet)


def _lets_in(frame: dict[str, Any], room: str) -> bool:
    return frame["type"] == "subscribed" and str(frame["room"]).startswith(room)
