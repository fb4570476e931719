"""Memory of the web processes over a million requests: `python -m bench.gateway_memory [requests]`."""

import multiprocessing
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.chat_upstream import serve
from bench.gateway import brokle, measure

REQUESTS = 1_000_000
_STEPS = 10
_MB = 1024 * 1024


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    pipe, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    address = f"http://127.0.0.1:{pipe.recv()}/v1"
    table = Table("requests", "largest web process, MB (RSS)", title="memory of a web process")
    try:
        with tempfile.TemporaryDirectory() as folder, brokle(Path(folder), address) as subject:
            web = [one for one in subject.processes if "web worker" in " ".join(one.cmdline())]
            done = 0
            while done < wanted:
                target = done + wanted // _STEPS
                while done < target:
                    done += measure(subject, Path(folder), is_stream=bool(done % 2), seconds=10).count
                table.add_row(f"{done:,}", f"{max(one.memory_info().rss for one in web) / _MB:.1f}")
    finally:
        upstream.terminate()
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
