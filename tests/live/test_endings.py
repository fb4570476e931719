"""What ends while a socket is open ends the socket, long before its next heartbeat."""

import asyncio
import re

import pytest
from websockets.exceptions import ConnectionClosed

from tests.house import ADMIN, house
from tests.live.visitor import Visitor, hear, say

pytestmark = [pytest.mark.engines]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The heartbeat is as in production: it cannot be what ends a socket here."""
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1]}
    with house(tmp_path_factory.mktemp("endings") / "data", **owner) as started:
        yield started


def visitor(home):
    found = Visitor(home)
    found.sign_in(*ADMIN)
    return found


async def answers(socket):
    await say(socket, "ping")
    return await hear(socket) == {"type": "pong"}


async def ended_with(socket):
    try:
        async with asyncio.timeout(1):
            async for _ in socket:
                pass
    except ConnectionClosed as closed:
        return closed.rcvd.code
    return socket.close_code


def post(person, path, **fields):
    page = person.send("GET", "/settings/sessions")
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1].decode()
    return person.send("POST", path, csrfmiddlewaretoken=token, **fields)


async def test_a_session_ended_elsewhere_ends_its_socket_within_a_second_and_no_other(home):
    here, there = visitor(home), visitor(home)
    async with here.socket() as ended, there.socket() as kept:
        assert await answers(ended)
        assert await answers(kept)
        await asyncio.to_thread(post, there, "/settings/sessions/others")
        assert await ended_with(ended) == 4401
        assert await answers(kept)


async def test_signing_out_ends_the_socket_within_a_second(home):
    person = visitor(home)
    async with person.socket() as socket:
        assert await answers(socket)
        await asyncio.to_thread(post, person, "/auth/logout")
        assert await ended_with(socket) == 4401


async def test_a_changed_password_ends_the_other_sockets_within_a_second(home):
    here, there = visitor(home), visitor(home)
    async with here.socket() as ended:
        assert await answers(ended)
        fields = {"oldpassword": ADMIN[1], "password1": "another-long-password"}
        await asyncio.to_thread(post, there, "/settings/security/password", **fields)
        assert await ended_with(ended) == 4401
