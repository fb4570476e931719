"""Every kind of room on `/ws` by everybody: none hears what is another's."""

import pytest
from asgiref.sync import async_to_sync

from apps.orgs.services.organizations import request_deletion
from apps.orgs.services.tokens import issue_token, revoke_token
from apps.users.services import api_sessions
from brokle.ground.services import SYSTEM
from brokle.kernel.extensions import live_rooms
from brokle.web.live import identity
from tests.security.idor.rows import READERS
from tests.security.idor.world import make_world

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

# Kind of room → the object in its name, and who may hear it.
ROOMS = {
    "notifications": ("owner_id", frozenset({"owner"})),
    "requests": ("environment_id", READERS),
}


@pytest.fixture
def world():
    return make_world()


def may_join(world, kind, caller):
    room = next(known for known in live_rooms.collect() if known.kind == kind)
    object_id = {**world.params, "owner_id": world.owner_id}[ROOMS[kind][0]]
    return async_to_sync(room.may_join)(caller.person, object_id)


def people(world):
    return {who: caller for who, caller in world.callers.items() if caller.person is not None and caller.own is None}


def test_every_kind_of_room_has_its_row():
    assert sorted(known.kind for known in live_rooms.collect()) == sorted(ROOMS)


@pytest.mark.parametrize("kind", ROOMS)
def test_a_room_opens_to_whom_its_row_names_and_nobody_else(world, kind):
    found = {who for who, caller in people(world).items() if may_join(world, kind, caller)}

    assert found == ROOMS[kind][1]


def test_rooms_of_an_organization_that_is_being_deleted_open_to_nobody(world):
    request_deletion(organization_id=world.organization_id, actor=SYSTEM)

    assert [who for who, caller in people(world).items() if may_join(world, "requests", caller)] == []


def person_by(token):
    """As the handshake asks, but in this thread: from its own it would not see the test's transaction."""
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return identity._person_of(identity.presented_token({"headers": headers}))


def test_the_socket_knows_people_by_their_own_tokens_only(world):
    owner = world.callers["owner"].person
    issued = issue_token(user_id=owner.pk, name="cli", actor=SYSTEM)
    pair = api_sessions.begin(user_id=owner.pk)

    assert [person_by(token) for token in (issued.value, pair.access_token)] == [owner, owner]
    revoke_token(token=issued.token, actor=SYSTEM)
    api_sessions.end(session_id=pair.session_id, user_id=owner.pk)
    keys = [caller.headers["authorization"].split()[1] for caller in world.callers.values() if caller.headers]
    for token in (issued.value, pair.access_token, pair.refresh_token, f"{issued.value}x", *keys):
        assert person_by(token) is None
