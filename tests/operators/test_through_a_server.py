"""The operator through a real server, with a real key: what stops, what is said, and that all of it comes back."""

import asyncio
import json
import re

import pytest
from websockets.exceptions import ConnectionClosed

from tests.house import ADMIN, BOOTSTRAP_KEY, house
from tests.live.visitor import Visitor, hear, say

pytestmark = [pytest.mark.engines]
OPERATOR = "/api/v1/operator"
PASSWORD = "a-long-enough-password"
# A busy machine may take its time, but not so long that the next heartbeat could be what ended a socket.
BEFORE_HEARTBEAT_S = 20


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The heartbeat is as in production: it cannot be what ends a socket here."""
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1]}
    with house(tmp_path_factory.mktemp("operators") / "data", **owner) as started:
        yield started


def post(home, path, body=None, **headers):
    sent = json.dumps(body or {}).encode()
    return home.request("POST", path, sent, {"Content-Type": "application/json", **headers})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def sign_in(home, email, password=PASSWORD):
    return post(home, "/api/v1/auth/login", {"email": email, "password": password})


@pytest.fixture(scope="module")
def operator(home):
    return bearer(sign_in(home, *ADMIN).json()["access_token"])


@pytest.fixture(scope="module")
def organization(home, operator):
    found = home.get(f"{OPERATOR}/organizations?q={ADMIN[0]}", **operator).json()["data"]
    return next(one for one in found if one["slug"] == "default")


def test_a_suspended_organizations_key_stops_with_the_reason_and_works_again_after(home, operator, organization):
    """How soon they do is measured by bench.revocation."""
    path = f"{OPERATOR}/organizations/{organization['id']}"
    home.wait_for(lambda: home.chat().status == 200)

    done = post(home, f"{path}/suspend", {"reason": "The bill is unpaid"}, **operator)
    home.wait_for(lambda: home.chat().status == 403)
    refused = home.chat()
    managed = home.get("/api/v1/keys", **{"x-api-key": BOOTSTRAP_KEY})
    member = home.get(f"/api/v1/organizations/{organization['id']}/members", **operator)
    resumed = post(home, f"{path}/resume", **operator)
    home.wait_for(lambda: home.chat().status == 200)

    assert (done.status, done.json()["state"]) == (200, "suspended")
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("permission_error", "organization_suspended")
    assert error["message"].startswith("The organization of this API key is suspended")
    assert (managed.status, managed.json()["code"]) == (403, "organization_suspended")
    assert (member.status, member.json()["code"]) == (403, "organization_suspended")
    assert member.json()["detail"] == "The bill is unpaid"
    assert (resumed.status, resumed.json()["state"]) == (200, "open")


def sign_up(home, email):
    """As from a page; without a relay the address needs no proof."""
    assert post(home, "/api/v1/auth/signup", {"email": email, "password": PASSWORD, "name": "Basim"}).status == 202
    return sign_in(home, email).json()


async def ended_with(socket):
    try:
        async with asyncio.timeout(BEFORE_HEARTBEAT_S):
            async for _ in socket:
                pass
    except ConnectionClosed as closed:
        return closed.rcvd.code
    return socket.close_code


async def test_a_locked_persons_sessions_tokens_and_socket_end_at_once(home, operator):
    email = "basim@noor.example"
    pair = await asyncio.to_thread(sign_up, home, email)
    mine = bearer(pair["access_token"])
    token = bearer(post(home, "/api/v1/tokens", {"name": "laptop"}, **mine).json()["value"])
    visitor = Visitor(home)
    await asyncio.to_thread(visitor.sign_in, email, PASSWORD)
    [person] = home.get(f"{OPERATOR}/people?q={email}", **operator).json()["data"]
    path = f"{OPERATOR}/people/{person['id']}"

    def statuses():
        """By session, access token, refresh token, personal token, and the right password."""
        asked = [home.get("/settings", Cookie=visitor.cookie), home.get("/api/v1/auth/me", **mine)]
        asked += [home.get("/api/v1/auth/me", **token), sign_in(home, email)]
        return [answer.status for answer in asked]

    assert await asyncio.to_thread(statuses) == [200, 200, 200, 200]
    async with visitor.socket() as socket:
        await say(socket, "ping")
        assert await hear(socket) == {"type": "pong"}
        locked = await asyncio.to_thread(lambda: post(home, f"{path}/lock", {"reason": "stolen"}, **operator))
        assert await ended_with(socket) == 4401

    assert (locked.status, locked.json()["is_locked"]) == (200, True)
    assert await asyncio.to_thread(statuses) == [302, 401, 401, 401]
    refreshed = post(home, "/api/v1/auth/refresh", {"refresh_token": pair["refresh_token"]})
    wrong, right = sign_in(home, email, "not-the-password"), sign_in(home, email)
    assert refreshed.status == 401
    assert (right.json()["code"], right.json()["detail"]) == (wrong.json()["code"], wrong.json()["detail"])
    assert post(home, f"{path}/unlock", **operator).json()["is_locked"] is False
    assert sign_in(home, email).status == 200


async def room_of(home, person, organization_id):
    """A room of production that the person may be in."""
    page = home.get(f"/api/v1/organizations/{organization_id}/projects", **person).json()["data"]
    path = f"/api/v1/projects/{page[0]['id']}/environments"
    environments = home.get(path, **person).json()["data"]
    return f"requests:{environments[0]['id']}"


async def test_support_access_opens_a_room_and_its_end_takes_the_room_away(home, operator):
    pair = await asyncio.to_thread(sign_up, home, "mei@tan.example")
    mei = bearer(pair["access_token"])
    made = post(home, "/api/v1/organizations", {"name": "Tan"}, **mei).json()
    room = await room_of(home, mei, made["id"])
    visitor = Visitor(home)
    await asyncio.to_thread(visitor.sign_in, *ADMIN)
    path = f"{OPERATOR}/organizations/{made['id']}/support-access"

    async with visitor.socket() as socket:
        await say(socket, "subscribe", room=room)
        assert (await hear(socket))["type"] == "error"
        begun = await asyncio.to_thread(lambda: post(home, path, {"reason": "Ticket 4711"}, **operator))
        await say(socket, "subscribe", room=room)
        assert await hear(socket) == {"type": "subscribed", "room": room}
        page = home.get("/tan/", Cookie=visitor.cookie)
        ended = await asyncio.to_thread(lambda: home.request("DELETE", path, None, operator))
        async with asyncio.timeout(BEFORE_HEARTBEAT_S):
            assert await hear(socket) == {"type": "unsubscribed", "room": room}

    assert (begun.status, ended.status, page.status) == (201, 204, 200)
    assert re.search(rb"You look into .*Tan", page.body)
    assert home.get("/tan/", Cookie=visitor.cookie).status == 404
