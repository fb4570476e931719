"""What happens at a heartbeat: the silent are closed, and whoever lost a session or a membership learns it."""

import asyncio

import psycopg
import pytest

from tests.house import ADMIN
from tests.live.visitor import Visitor, close_code, hear, listening, room_of, say

pytestmark = [pytest.mark.engines]


@pytest.fixture(scope="module")
def heartbeat():
    return "2"


async def test_pings_come_and_the_silent_are_closed(home, owner):
    async with owner.socket() as socket:
        assert await hear(socket, ignore_pings=False) == {"type": "ping"}
        assert await close_code(socket) == 4408


async def test_who_answers_the_pings_stays(home, owner):
    async with owner.socket() as socket:
        for _ in range(5):
            assert await hear(socket, ignore_pings=False) == {"type": "ping"}
            await say(socket, "pong")


async def test_signing_out_ends_the_socket(home, owner):
    visitor = Visitor(home)
    visitor.sign_in(*ADMIN)
    async with visitor.socket() as socket:
        await hear(socket, ignore_pings=False)
        await say(socket, "pong")
        await asyncio.to_thread(visitor.sign_out)
        assert await close_code(socket) == 4401


async def test_a_lost_membership_takes_the_room_away(home, owner):
    room = room_of(home)
    async with listening(owner, room) as socket:
        with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
            row = database.execute("DELETE FROM memberships RETURNING id, organization_id, user_id, role").fetchone()
            try:
                assert await hear(socket) == {"type": "unsubscribed", "room": room}
            finally:
                insert = "INSERT INTO memberships (id, organization_id, user_id, role) VALUES (%s, %s, %s, %s)"
                database.execute(insert, row)
