"""The embedded ClickHouse engine: start, small queries, those beside a long scan: `python -m bench.clickhouse`."""

import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from rich.console import Console
from rich.table import Table

from brokle.engines.clickhouse_url import connect
from brokle.engines.fleet import ClickHouse
from brokle.engines.layout import Layout
from brokle.settings.env import env

_SCAN = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) % 7 = 3"
_SCAN_S = 5


def asked_ms(client: Client, until: threading.Event | None, count: int = 500) -> list[float]:
    taken: list[float] = []
    while (len(taken) < count) if until is None else not until.is_set():
        began = time.perf_counter()
        client.query("SELECT 1")
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def beside_a_scan_ms(url: str, asking: Client) -> list[float]:
    ended = threading.Event()

    def scan() -> None:
        with suppress(DatabaseError):  # it is cut off when its time is over
            connect(url).query(_SCAN, settings={"max_execution_time": _SCAN_S, "max_threads": 1})
        ended.set()

    threading.Thread(target=scan).start()
    return asked_ms(asking, ended)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.at(Path(folder))
        layout.prepare()
        engine = ClickHouse(layout, env.for_child())
        engine.prepare()
        child = engine.child()
        began = time.perf_counter()
        child.start()
        try:
            engine.wait_ready(child)
            ready_s = time.perf_counter() - began
            client = connect(engine.url)
            alone, beside = asked_ms(client, None), beside_a_scan_ms(engine.url, client)
        finally:
            child.stop()
    table = Table("what", "p50", "p95", "p99", "figure")
    table.add_row("ready after", f"{ready_s:.2f} s", "", "", "≤ 3 s")
    for name, taken, figure in (("select 1, ms", alone, ""), ("select 1 beside a long scan, ms", beside, "p95 ≤ 200")):
        cuts = statistics.quantiles(taken, n=100)
        table.add_row(name, *(f"{cuts[cut]:.1f}" for cut in (49, 94, 98)), figure)
    Console().print(table)


if __name__ == "__main__":
    main()
