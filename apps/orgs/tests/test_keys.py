import re
from datetime import timedelta

import pytest
from django.test import Client

from apps.orgs.models import ApiKey
from apps.orgs.services.key_use import note
from apps.orgs.services.keys import Bounds, checksum, issue_key, rotate_key
from apps.orgs.snapshot import compile_key
from apps.orgs.testing import bearer, call, make_household, signed_in
from brokle.edge.key_use import USED
from brokle.edge.principal import decode_key
from brokle.engines.state import state
from brokle.ground.models import AuditEntry, SnapshotChange
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Conflict

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def noor():
    return make_household("noor")


def keys(household, tail=""):
    return f"/api/v1/keys{tail}?environment={household.production.id}"


def row(household, key_id):
    return ApiKey.objects.of(household.id).get(id=key_id)


def test_a_key_can_be_told_from_a_look_alike(noor):
    value = noor.key.value
    body, _, crc = value.rpartition("_")
    assert value.startswith("bk_live_")
    assert len(value.split("_")) == 5
    assert checksum(body) == crc


def test_bounds_reach_the_edge(noor):
    asked = {
        "name": "app",
        "scopes": ["gateway"],
        "allowed_models": ["echo/fast"],
        "allowed_ips": ["10.0.0.0/8"],
        "allowed_origins": ["https://app.example"],
        "tokens_per_minute": 5000,
        "budget_usd_micros": 2_000_000,
        "budget_window": "day",
    }
    made = call(signed_in(noor.owner), "POST", keys(noor), asked).json()
    principal = decode_key(compile_key(row(noor, made["id"]).hash))

    assert {name: made[name] for name in asked} == asked
    assert (principal.allowed_models, principal.tokens_per_minute) == (frozenset({"echo/fast"}), 5000)
    assert (principal.budget_usd_micros, principal.budget_window) == (2_000_000, "day")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_ips", ["10.0.0.0/33"]),
        ("allowed_ips", ["'; DROP"]),
        ("allowed_origins", ["app.example"]),
        ("allowed_origins", ["https://app.example/path"]),
        ("budget_usd_micros", 0),
        ("tokens_per_minute", -1),
        ("budget_window", "year"),
        ("expires_at", "2001-01-01T00:00:00Z"),
        ("scopes", ["root"]),
        ("name", "a\u0000b"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(noor, field, value):
    asked = {"name": "app", "scopes": ["gateway"], field: value}
    answer = call(signed_in(noor.owner), "POST", keys(noor), asked)

    assert (answer.status_code, answer.json()["field"].split(".")[0]) == (422, field)
    assert ApiKey.objects.of(noor.id).count() == 1


@pytest.mark.parametrize(
    ("address", "origin", "status"),
    [
        ("10.1.2.3", None, 200),
        ("10.1.2.3", "https://app.example", 200),
        ("10.1.2.3", "https://evil.example", 403),
        ("192.0.2.1", None, 403),
        ("::ffff:10.1.2.3", None, 200),
    ],
)
def test_a_key_is_used_only_from_where_it_may(noor, address, origin, status):
    bounds = Bounds(allowed_ips=["10.0.0.0/8"], allowed_origins=["https://app.example"])
    key = issue_key(environment=noor.production, name="app", scopes=["admin"], actor=SYSTEM, bounds=bounds)
    headers = bearer(key) | ({"origin": origin} if origin else {})

    assert Client(REMOTE_ADDR=address).get("/api/v1/organizations", headers=headers).status_code == status


def test_changing_a_key_keeps_what_is_left_out_and_is_urgent(noor):
    owner = signed_in(noor.owner)
    made = call(owner, "POST", keys(noor), {"name": "app", "scopes": ["gateway"], "requests_per_minute": 60}).json()
    SnapshotChange.objects.all().delete()
    changed = call(owner, "PATCH", keys(noor, f"/{made['id']}"), {"allowed_ips": ["192.0.2.7"]}).json()
    lifted = call(owner, "PATCH", keys(noor, f"/{made['id']}"), {"requests_per_minute": None}).json()

    assert (changed["requests_per_minute"], changed["allowed_ips"]) == (60, ["192.0.2.7"])
    assert (lifted["requests_per_minute"], lifted["allowed_ips"]) == (None, ["192.0.2.7"])
    assert SnapshotChange.objects.filter(urgent=True).count() == 2
    entry = AuditEntry.objects.filter(action="key.updated").order_by("sequence").first()
    assert (entry.before.get("allowed_ips"), entry.after["allowed_ips"]) == (None, ["192.0.2.7"])


def test_rotating_gives_a_successor_and_lets_the_former_end(noor):
    owner = signed_in(noor.owner)
    made = call(owner, "POST", keys(noor), {"name": "app", "scopes": ["admin"], "requests_per_minute": 60}).json()
    answer = call(owner, "POST", keys(noor, f"/{made['id']}/rotate"), {"overlap_seconds": 3600})
    successor = answer.json()

    assert (answer.status_code, successor["name"], successor["requests_per_minute"]) == (201, "app", 60)
    assert successor["value"] != made["value"]
    for value in (made["value"], successor["value"]):
        assert call(Client(), "GET", "/api/v1/organizations", authorization=f"Bearer {value}").status_code == 200
    former = row(noor, made["id"])
    assert former.rotated_to == successor["id"]
    assert timedelta(minutes=59) < former.expires_at - utc_now() <= timedelta(hours=1)
    again = call(owner, "POST", keys(noor, f"/{made['id']}/rotate"), {})
    assert again.status_code == 409


def test_without_overlap_the_former_key_is_dead(noor):
    key = row(noor, noor.key.key_id)
    rotate_key(key=key, actor=SYSTEM, overlap=timedelta(0), clock=lambda: utc_now() - timedelta(seconds=2))

    assert call(Client(), "GET", "/api/v1/organizations", **noor.bearer).status_code == 401


def test_a_revoked_key_is_not_rotated(noor):
    call(signed_in(noor.owner), "DELETE", keys(noor, f"/{noor.key.key_id}"))
    with pytest.raises(Conflict):
        rotate_key(key=row(noor, noor.key.key_id), actor=SYSTEM, overlap=timedelta(0))
    assert ApiKey.objects.of(noor.id).count() == 1


def test_a_use_is_noted_once_for_all_processes(noor):
    state().delete(USED)
    call(Client(), "GET", "/api/v1/organizations", **noor.bearer)

    assert note() == 1
    first = row(noor, noor.key.key_id).last_used_at
    assert abs((utc_now() - first).total_seconds()) < 60
    state().hset(USED, noor.key.key_id, 1)
    assert note() == 0
    assert row(noor, noor.key.key_id).last_used_at == first
    assert note() == 0


def test_the_page_of_keys_shows_fifty_and_leads_to_the_next(noor):
    for number in range(60):
        issue_key(environment=noor.production, name=f"number {number}", scopes=["gateway"], actor=SYSTEM)
    client = signed_in(noor.owner)
    first = client.get("/noor/settings/keys").content.decode()
    following = re.search(r'rel="next" href="\?(cursor=[^"]+)"', first)
    second = client.get(f"/noor/settings/keys?{following[1]}").content.decode()

    shown = [re.findall(r"<bdi>number (\d+)</bdi></b>", page) for page in (first, second)]
    assert shown == [[str(n) for n in range(59, 9, -1)], [str(n) for n in range(9, -1, -1)]]
    assert 'rel="next"' not in second
