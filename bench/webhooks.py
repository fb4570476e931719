"""Webhook deliveries a second, and beside a tenant whose receiver hangs: `python -m bench.webhooks [events]`."""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from tests.fakes.receivers import WebhookReceiver, webhook_receiver
from tests.house import ADMIN, House, house

TENANTS = 8

# As `announce` promises them: each tenant's events in one transaction.
_PROMISE = """
INSERT INTO outbox (event_id, topic, organization_id, attempts, last_error, payload)
SELECT 'evt_' || %s || '-' || slug || n, 'events', id, 0, '',
       jsonb_build_object('event', 'project.updated', 'organization_id', id, 'actor_id', '',
                          'at', '2026-11-21T10:00:00.000+00:00', 'data', jsonb_build_object('number', n))
FROM organizations, generate_series(1, %s) n WHERE slug LIKE %s
"""
_TOOK = """
SELECT extract(epoch FROM a.at - d.created_at) * 1000 FROM webhook_attempts a
JOIN webhook_deliveries d ON d.id = a.delivery_id JOIN organizations o ON o.id = d.organization_id
WHERE o.slug LIKE 'good%%' AND d.status = 'delivered' AND d.event_id LIKE %s
"""
_ROWS = {"alone": f"{TENANTS} tenants", "beside": "and one whose receiver hangs"}


def token(home: House) -> dict[str, str]:
    plain = {"Content-Type": "application/json"}
    credentials = json.dumps({"email": ADMIN[0], "password": ADMIN[1]}).encode()
    pair = home.request("POST", "/api/v1/auth/login", credentials, plain).json()
    return {**plain, "Authorization": f"Bearer {pair['access_token']}"}


def tenant(home: House, headers: dict[str, str], name: str, url: str) -> None:
    made = home.request("POST", "/api/v1/organizations", json.dumps({"name": name, "slug": name}).encode(), headers)
    path = f"/api/v1/organizations/{made.json()['id']}/webhooks"
    body = json.dumps({"url": url, "event_types": ["project.updated"]}).encode()
    answer = home.request("POST", path, body, headers)
    assert answer.status == 201, answer.body


def run(home: House, statement: str, *values: object) -> list[tuple]:
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
        cursor = database.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def deliver(home: House, receiver: WebhookReceiver, name: str, events: int) -> tuple[float, list[float]]:
    """Seconds until all of the good tenants' events have arrived, and how long after its making each was sent."""
    receiver.came.clear()
    run(home, _PROMISE, name, events, "good%")
    began = time.perf_counter()
    run(home, "NOTIFY brokle_outbox")
    home.wait_for(lambda: len(receiver.came) >= events * TENANTS, 600)
    took = time.perf_counter() - began
    home.wait_for(lambda: len(run(home, _TOOK, f"evt_{name}-%")) == events * TENANTS)
    return took, [float(row[0]) for row in run(home, _TOOK, f"evt_{name}-%")]


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    settings = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1], "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    table = Table("", "deliveries", "a second", "wait p50 ms", "p95 ms", "worst ms", "came twice")
    with (
        tempfile.TemporaryDirectory() as folder,
        webhook_receiver() as good,
        webhook_receiver(holds=True) as hanging,
        house(Path(folder) / "data", **settings) as home,
    ):
        headers = token(home)
        for number in range(TENANTS):
            tenant(home, headers, f"good-{number}", good.url)
        tenant(home, headers, "hanging", hanging.url)
        for name in ("alone", "beside"):
            if name == "beside":
                run(home, _PROMISE, name, events * 2, "hanging")
                run(home, "NOTIFY brokle_outbox")
                home.wait_for(lambda: hanging.came)
            took, waits = deliver(home, good, name, events)
            cuts = statistics.quantiles(waits, n=100)
            ids = {came.headers["webhook-id"] for came in good.came}
            count = events * TENANTS
            figures = [f"{value:,.0f}" for value in (cuts[49], cuts[94], max(waits))]
            table.add_row(_ROWS[name], str(count), f"{count / took:,.0f}", *figures, str(len(good.came) - len(ids)))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
