"""The worker is killed with deliveries under way and 200 pending: each arrives, at least once, under its one id."""

import json
import os
import signal
from collections import Counter

import psycopg
import pytest

from tests.fakes.receivers import webhook_receiver
from tests.house import ADMIN, house

pytestmark = [pytest.mark.engines]
EVENTS = 200
PER_WEBHOOK = 4

# As `announce` promises them, all in one transaction.
_PROMISE = """
INSERT INTO outbox (event_id, topic, organization_id, attempts, last_error, payload)
SELECT 'evt_fault' || lpad(n::text, 4, '0'), 'events', id, 0, '',
       jsonb_build_object('event', 'project.updated', 'organization_id', id, 'actor_id', '',
                          'at', '2026-11-21T10:00:00.000+00:00', 'data', jsonb_build_object('number', n))
FROM organizations, generate_series(1, %s) n WHERE slug = 'default'
"""
# What a minute does to the leases of a worker that died.
_A_MINUTE_PASSES = """
UPDATE webhook_deliveries
SET leased_until = leased_until - interval '1 minute', next_attempt_at = next_attempt_at - interval '1 minute'
WHERE status = 'pending' AND leased_until IS NOT NULL
"""


@pytest.fixture
def home(tmp_path):
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1], "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    with house(tmp_path / "data", **owner) as started:
        yield started


def add_webhook(home, url):
    plain = {"Content-Type": "application/json"}
    credentials = json.dumps({"email": ADMIN[0], "password": ADMIN[1]}).encode()
    token = home.request("POST", "/api/v1/auth/login", credentials, plain).json()["access_token"]
    headers = {**plain, "Authorization": f"Bearer {token}"}
    organization = home.get("/api/v1/organizations", **headers).json()["data"][0]["id"]
    path = f"/api/v1/organizations/{organization}/webhooks"
    made = home.request("POST", path, json.dumps({"url": url, "event_types": ["project.updated"]}).encode(), headers)
    assert made.status == 201


def run(home, statement, *values):
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
        return database.execute(statement, values or None)


def counts(home):
    return dict(run(home, "SELECT status, count(*) FROM webhook_deliveries GROUP BY 1").fetchall())


def kill_worker(home):
    """And waits for the one that the supervisor starts in its place."""
    pid = home.processes()["worker"]["pid"]
    os.kill(pid, signal.SIGKILL)
    home.wait_for(lambda: home.processes()["worker"]["pid"] != pid and home.processes()["worker"]["state"] == "running")


@pytest.mark.parametrize("is_literal", [False, pytest.param(True, marks=pytest.mark.long)])
def test_all_of_200_deliveries_arrive_though_the_worker_is_killed_twice(home, is_literal):
    with webhook_receiver(holds=True) as receiver:
        add_webhook(home, receiver.url)
        run(home, _PROMISE, EVENTS)
        run(home, "NOTIFY brokle_outbox")
        home.wait_for(lambda: counts(home) == {"pending": EVENTS} and len(receiver.came) == PER_WEBHOOK)
        kill_worker(home)
        receiver.held.set()
        home.wait_for(lambda: len(receiver.came) > EVENTS // 2)
        kill_worker(home)
        if not is_literal:
            run(home, _A_MINUTE_PASSES)
        home.wait_for(lambda: counts(home) == {"delivered": EVENTS}, 200)

    bodies = {came.headers["webhook-id"]: set() for came in receiver.came}
    for came in receiver.came:
        bodies[came.headers["webhook-id"]].add(came.body)
    times = Counter(came.headers["webhook-id"] for came in receiver.came)
    assert set(bodies) == {f"evt_fault{number:04d}" for number in range(1, EVENTS + 1)}
    assert {len(found) for found in bodies.values()} == {1}
    # Twice came only what was under way at one of the two kills.
    assert PER_WEBHOOK <= len(receiver.came) - EVENTS <= 2 * PER_WEBHOOK
    assert max(times.values()) == 2
