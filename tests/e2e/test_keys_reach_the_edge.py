import json

import pytest

from tests.house import BOOTSTRAP_KEY, house

pytestmark = [pytest.mark.engines]
ADMIN = {"Authorization": f"Bearer {BOOTSTRAP_KEY}", "Content-Type": "application/json"}
NEW = json.dumps({"name": "ci", "scopes": ["gateway"]}).encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with house(tmp_path_factory.mktemp("keys") / "data", workers=2) as started:
        yield started


def until(home, key, status):
    """Both web processes must have heard of it; how soon they do is measured by bench.revocation."""
    home.wait_for(lambda: all(home.chat(key=key).status == status for _ in range(8)))


def test_a_key_of_the_api_works_on_the_edge_and_ends_there(home):
    warm = home.request("POST", "/api/v1/keys", NEW, ADMIN).json()
    until(home, warm["value"], 200)
    created = home.request("POST", "/api/v1/keys", NEW, {**ADMIN, "Idempotency-Key": "once"})
    again = home.request("POST", "/api/v1/keys", NEW, {**ADMIN, "Idempotency-Key": "once"})
    key = created.json()

    assert (created.status, again.body) == (201, created.body)
    assert again.headers["idempotency-replayed"] == "true"
    until(home, key["value"], 200)
    assert home.request("DELETE", f"/api/v1/keys/{key['id']}", None, ADMIN).status == 204
    until(home, key["value"], 401)
    assert home.get("/api/v1/keys", Authorization=f"Bearer {key['value']}").status == 401
