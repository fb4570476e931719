"""Reads of the management API and of the console's pages, at 10,000 organizations and 100,000 keys.

`python -m bench.api [rounds]`: each read that often by one client, then by four at once; as the owner of an ordinary
organization, and as the owner of the largest, with 1,000 keys in one environment.
"""

import http.client
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from rich.console import Console
from rich.table import Table

from bench.api_fill import CROWDED, ORDINARY, fill
from tests.house import ADMIN, House, house
from tests.live.visitor import Visitor

AT_ONCE = 4
LIMIT_MS = 50
_SINCE = quote("2026-01-01T00:00:00Z")
_READS = {
    "me": "/api/v1/auth/me",
    "organizations": "/api/v1/organizations",
    "organization": "/api/v1/organizations/{organization}",
    "members": "/api/v1/organizations/{organization}/members",
    "members by e-mail": "/api/v1/organizations/{organization}/members?email=person1@bench.example",
    "member": "/api/v1/organizations/{organization}/members/{member}",
    "invitations": "/api/v1/organizations/{organization}/invitations?status=open",
    "invitation": "/api/v1/organizations/{organization}/invitations/{invitation}",
    "projects": "/api/v1/organizations/{organization}/projects",
    "project": "/api/v1/projects/{project}",
    "project members": "/api/v1/projects/{project}/members",
    "environments": "/api/v1/projects/{project}/environments",
    "environment": "/api/v1/environments/{environment}",
    "keys": "/api/v1/keys?environment={environment}",
    "keys, 200": "/api/v1/keys?environment={environment}&limit=200",
    "keys by name": "/api/v1/keys?environment={environment}&name=key%207",
    "keys by scope": "/api/v1/keys?environment={environment}&scope=admin",
    "revoked keys": "/api/v1/keys?environment={environment}&status=revoked",
    "key": "/api/v1/keys/{key}?environment={environment}",
    "audit log": "/api/v1/organizations/{organization}/audit-log",
    "audit log, 200": "/api/v1/organizations/{organization}/audit-log?limit=200",
    "audit by action": "/api/v1/organizations/{organization}/audit-log?action=key.revoked",
    "audit by an action not there": "/api/v1/organizations/{organization}/audit-log?action=nothing",
    "audit by actor": "/api/v1/organizations/{organization}/audit-log?actor=usr_nobody",
    "audit by target": "/api/v1/organizations/{organization}/audit-log?target=key_b0000000007",
    "audit since": "/api/v1/organizations/{organization}/audit-log?since=" + _SINCE,
    "event types": "/api/v1/event-types",
    "webhooks": "/api/v1/organizations/{organization}/webhooks",
    "webhook": "/api/v1/organizations/{organization}/webhooks/{webhook}",
    "deliveries": "/api/v1/organizations/{organization}/webhooks/{webhook}/deliveries",
    "deliveries by status": "/api/v1/organizations/{organization}/webhooks/{webhook}/deliveries?status=dead",
    "deliveries by event": "/api/v1/organizations/{organization}/webhooks/{webhook}/deliveries?event_id=evt_none",
    "delivery": "/api/v1/organizations/{organization}/webhooks/{webhook}/deliveries/{delivery}",
    "notifications": "/api/v1/notifications",
    "unread notifications": "/api/v1/notifications?status=unread",
    "notification preferences": "/api/v1/notification-preferences",
    "tokens": "/api/v1/tokens",
}
_PAGES = {
    "overview": "/{slug}/",
    "general": "/{slug}/settings",
    "members": "/{slug}/settings/members",
    "projects": "/{slug}/settings/projects",
    "project": "/{slug}/settings/projects/{project}",
    "keys": "/{slug}/settings/keys",
    "key": "/{slug}/settings/keys/{key}?env=project-1/production",
    "audit log": "/{slug}/settings/audit",
    "audit by kind": "/{slug}/settings/audit?action=key",
    "webhooks": "/{slug}/settings/webhooks",
    "webhook": "/{slug}/settings/webhooks/{webhook}",
    "delivery": "/{slug}/settings/webhooks/{webhook}/deliveries/{delivery}",
    "notifications": "/notifications",
    "profile": "/settings",
    "tokens": "/settings/tokens",
    "sessions": "/settings/sessions",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with a session and a token, and what their addresses are made of."""

    name: str
    cookie: str
    token: str
    parts: dict[str, str]

    def headers(self, path: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if path.startswith("/api/") else {"Cookie": self.cookie}


def reader(home: House, name: str, number: int) -> Reader:
    email, visitor = f"person{number}@bench.example", Visitor(home)
    visitor.sign_in(email, ADMIN[1])
    body = json.dumps({"email": email, "password": ADMIN[1]}).encode()
    pair = home.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"}).json()
    suffix = f"b{number:010d}"
    parts = {"slug": f"team-{number}", "organization": f"org_{suffix}", "webhook": f"whk_{suffix}"}
    tails = {"member": ("mem", "0"), "invitation": ("inv", "1"), "project": ("prj", "1")}
    parts |= {name: f"{kind}_{suffix}{tail}" for name, (kind, tail) in tails.items()}
    parts |= {"environment": f"env_{suffix}1production", "delivery": f"dlv_{suffix}000001"}
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"]) as database:
        query = "SELECT id FROM api_keys WHERE environment_id = %s ORDER BY id LIMIT 1"
        row = database.execute(query, [parts["environment"]]).fetchone()
    assert row is not None
    return Reader(name, visitor.cookie, pair["access_token"], {**parts, "key": row[0]})


def times(home: House, who: Reader, path: str, rounds: int) -> list[float]:
    """Milliseconds of each read, over one connection that stays."""
    connection, found = http.client.HTTPConnection("127.0.0.1", home.port, timeout=60), []
    for _ in range(rounds):
        began = time.perf_counter()
        connection.request("GET", path, headers=who.headers(path))
        response = connection.getresponse()
        response.read()
        found.append((time.perf_counter() - began) * 1000)
        assert response.status == 200, (path, response.status)
    connection.close()
    return found


def together(home: House, who: Reader, path: str, rounds: int) -> list[float]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(times, home, who, path, max(rounds // AT_ONCE, 10)) for _ in range(AT_ONCE)]
        return [value for run in runs for value in run.result()]


def measure(home: House, who: Reader, addresses: dict[str, str], rounds: int) -> Table:
    table = Table("read", "p50 ms", "p95", "p99", "four: p50", "p95", "p99", title=f"{who.name}, {rounds} each")
    worst = 0.0
    for name, address in addresses.items():
        path = address.format(**who.parts)
        times(home, who, path, 5)
        figures = []
        for found in (times(home, who, path, rounds), together(home, who, path, rounds)):
            cuts = statistics.quantiles(found, n=100)
            figures += [cuts[49], cuts[94], cuts[98]]
        worst = max(worst, figures[1])
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    table.caption = f"worst p95 of one client: {worst:.1f} ms; required of the API: {LIMIT_MS} ms"
    return table


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1]}
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "data", workers=2, **owner) as home:
        console.print("rows made:", fill(home.run_file()["urls"]["DATABASE_URL"], ADMIN[0]))
        for name, number in (("an ordinary organization", ORDINARY), ("the largest organization", CROWDED)):
            who = reader(home, name, number)
            console.print(measure(home, who, _READS, rounds))
            console.print(measure(home, who, _PAGES, rounds))


if __name__ == "__main__":
    main()
