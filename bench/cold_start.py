"""Start of an installed Brokle to /health 200, and its memory at rest: `python bench/cold_start.py [--runs 3]`.

Builds the wheel, installs it into a fresh environment and runs `brokle serve` from there. The first start makes the
databases; the file cache of the system is as warm as installing left it.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.packaging.installed import InstalledHouse, build_wheel, installation

_MB = 1024 * 1024
_SETTLE_S = 15
_LIMITS = {"first": 8.0, "later": 4.0, "pss_mb": 1024.0, "worker_rss_mb": 180.0}


@dataclass
class Figures:
    start_s: float
    pss_mb: float
    worker_rss_mb: float
    parts: list[tuple[str, float, float]]


def measure(house: InstalledHouse, *, workers: int, settle_s: float) -> Figures:
    began = time.perf_counter()
    house.start(workers=workers)
    start_s = time.perf_counter() - began
    try:
        house.wait_for(lambda: "worker" in house.processes())
        assert house.chat().status == 200
        time.sleep(settle_s)
        return _memory(house, start_s)
    finally:
        assert house.stop() == 0


def _memory(house: InstalledHouse, start_s: float) -> Figures:
    supervisor = psutil.Process(house.process.pid)
    named = {process["pid"]: process["name"] for process in house.processes().values()}
    parts = []
    for process in [supervisor, *supervisor.children(recursive=True)]:
        memory = process.memory_full_info()
        above = next((named[p.pid] for p in [process, *process.parents()] if p.pid in named), "supervisor")
        parts.append((above, memory.pss / _MB, memory.rss / _MB))
    web = [rss for name, _, rss in parts if name == "web"]
    return Figures(start_s, sum(pss for _, pss, _ in parts), max(web), parts)


def report(runs: list[Figures]) -> bool:
    rows = [("start, first time", runs[0].start_s, _LIMITS["first"], "s")]
    if len(runs) > 1:
        rows.append(("start, later (slowest)", max(r.start_s for r in runs[1:]), _LIMITS["later"], "s"))
    rows += [
        ("memory of the tree (PSS)", max(r.pss_mb for r in runs), _LIMITS["pss_mb"], "MB"),
        ("one web worker (RSS)", max(r.worker_rss_mb for r in runs), _LIMITS["worker_rss_mb"], "MB"),
    ]
    for name, found, limit, unit in rows:
        print(f"{name:28} {found:8.2f} {unit:2}  asked ≤ {limit:g} {unit}  {'ok' if found <= limit else 'MISSED'}")
    print()
    for name in dict.fromkeys(part[0] for part in runs[-1].parts):
        own = [part for part in runs[-1].parts if part[0] == name]
        print(f"  {name:12} {len(own):3} processes  PSS {sum(p[1] for p in own):7.1f} MB")
    return all(found <= limit for _, found, limit, _ in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="starts on one data dir, the first included")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="brokle cold ") as folder:
        wheel = build_wheel(Path(folder) / "wheel")
        with installation(wheel) as installed:
            place = Path(folder) / "data"
            figures = []
            for number in range(asked.runs):
                house = InstalledHouse(installed, place)
                figures.append(
                    measure(house, workers=asked.workers, settle_s=_SETTLE_S if number == asked.runs - 1 else 3)
                )
                print(f"start {number + 1}: {figures[-1].start_s:.2f} s", flush=True)
    return 0 if report(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
