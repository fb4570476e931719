"""How long until the edge knows a key that was made or revoked: `python -m bench.revocation [trials]`."""

import http.client
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.house import BOOTSTRAP_KEY, house

ADMIN = {"Authorization": f"Bearer {BOOTSTRAP_KEY}", "Content-Type": "application/json"}
CHAT = json.dumps({"model": "echo/fast", "messages": [{"role": "user", "content": "hi"}]}).encode()


def send(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    found = (response.status, response.read())
    connection.close()
    return found


def until(port: int, key: str, status: int) -> float:
    """Milliseconds until a row of answers has this status; several, because there are two processes."""
    began, in_a_row = time.perf_counter(), 0
    while in_a_row < 4:
        found, _ = send(port, "POST", "/v1/chat/completions", CHAT, {"Authorization": f"Bearer {key}"})
        in_a_row = in_a_row + 1 if found == status else 0
        if in_a_row == 1:
            reached = time.perf_counter()
    return (reached - began) * 1000


def trial(port: int, number: int) -> tuple[float, float]:
    body = json.dumps({"name": f"trial {number}", "scopes": ["gateway"]}).encode()
    _, content = send(port, "POST", "/api/v1/keys", body, ADMIN)
    made: dict[str, Any] = json.loads(content)
    usable = until(port, made["value"], 200)
    send(port, "DELETE", f"/api/v1/keys/{made['id']}", None, ADMIN)
    return usable, until(port, made["value"], 401)


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "data", workers=2) as home:
        home.wait_for(lambda: home.processes()["worker"]["state"] == "running")
        trial(home.port, 0)
        figures = [trial(home.port, number) for number in range(1, trials + 1)]
    table = Table("what", "trials", "p50 ms", "p99 ms", "worst ms", "figure")
    for name, values in (
        ("created → usable", [f[0] for f in figures]),
        ("revoked → refused", [f[1] for f in figures]),
    ):
        cuts = statistics.quantiles(values, n=100)
        table.add_row(name, str(trials), f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(values):.1f}", "< 1,000 ms")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
