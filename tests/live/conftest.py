import pytest

from tests.house import ADMIN, house
from tests.live.visitor import Visitor


@pytest.fixture(scope="module")
def heartbeat():
    """A module that waits for heartbeats says another number; the others must never be closed for being slow."""
    return "600"


@pytest.fixture(scope="module")
def home(tmp_path_factory, heartbeat):
    email, password = ADMIN
    with house(
        tmp_path_factory.mktemp("live") / "data",
        BROKLE_ADMIN_EMAIL=email,
        BROKLE_ADMIN_PASSWORD=password,
        BROKLE_LIVE_HEARTBEAT_SECONDS=heartbeat,
    ) as started:
        yield started


@pytest.fixture(scope="module")
def owner(home):
    visitor = Visitor(home)
    visitor.sign_in(*ADMIN)
    return visitor
