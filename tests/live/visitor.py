"""A person outside a browser: cookies, sign-in, a socket."""

import asyncio
import http.client
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import psycopg
import redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from brokle.edge.signals import channel, notice
from tests.house import House


class Visitor:
    def __init__(self, home: House) -> None:
        self.home = home
        self.cookies: dict[str, str] = {}

    def sign_in(self, email: str, password: str) -> None:
        page = self.send("GET", "/auth/login")
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        self.send("POST", "/auth/login", csrfmiddlewaretoken=token[1].decode(), email=email, password=password)
        assert "brokle_session" in self.cookies

    def sign_out(self) -> None:
        page = self.send("GET", "/auth/login")
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        csrf = token[1].decode() if token else self.cookies["brokle_csrf"]
        self.send("POST", "/auth/logout", csrfmiddlewaretoken=csrf)

    def send(self, method: str, path: str, **form: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.home.port, timeout=90)
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form) if form else None, headers)
        response = connection.getresponse()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self.cookies.update({key: morsel.value for key, morsel in SimpleCookie(value).items()})
        body = response.read()
        connection.close()
        return body

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def socket(self, **options: Any) -> connect:
        headers = {"Cookie": self.cookie, **options.pop("headers", {})}
        options.setdefault("origin", self.home.url)
        options.setdefault("ping_interval", None)  # who is slow is for the server to say
        return connect(f"ws://127.0.0.1:{self.home.port}/ws", additional_headers=headers, **options)


async def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def hear(socket: ClientConnection, *, ignore_pings: bool = True) -> dict[str, Any]:
    """The next frame; the server's pings are answered and passed over."""
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if not (ignore_pings and frame["type"] == "ping"):
            return frame
        await say(socket, "pong")


def room_of(home: House) -> str:
    """A room that only the test speaks in: no chat of the house goes to this environment."""
    return _room(home, "development")


def room_of_requests(home: House) -> str:
    return _room(home, "production")


def _room(home: House, slug: str) -> str:
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"]) as database:
        row = database.execute("SELECT id FROM environments WHERE slug = %s", [slug]).fetchone()
    assert row is not None
    return f"requests:{row[0]}"


def publish(home: House, room: str, **data: Any) -> int:
    with redis.Redis.from_url(home.run_file()["urls"]["REDIS_URL"]) as client:
        return publish_by(client, room, **data)


def publish_by(client: redis.Redis, room: str, **data: Any) -> int:
    return int(client.publish(channel(room), notice(room, "metrics.updated", data)))  # type: ignore[arg-type]


async def close_code(socket: ClientConnection) -> int | None:
    """Why the server closes it."""
    try:
        async with asyncio.timeout(120):
            async for _ in socket:
                pass
    except ConnectionClosed as closed:
        return closed.rcvd.code
    return socket.close_code


@asynccontextmanager
async def listening(visitor: Visitor, room: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with visitor.socket(**options) as socket:
        await say(socket, "subscribe", room=room)
        assert await hear(socket) == {"type": "subscribed", "room": room}
        yield socket
