"""What watching costs where it is always on, and where it is off: `python -m bench.watching`."""

import timeit
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from brokle.kernel.metrics import Registry
from brokle.kernel.tracing import Tracer

_CALLS, _ROUNDS = 50_000, 15


def per_call_ns(call: Callable[[], object]) -> float:
    """The best of several rounds: what else the machine did is in the others."""
    return min(timeit.repeat(call, number=_CALLS, repeat=_ROUNDS)) / _CALLS * 1e9


def main() -> None:
    registry, off = Registry(), Tracer()
    hits = registry.counter("hits_total", "", "route").of("/v1")
    took = registry.histogram("took_seconds", "", "route").of("/v1")

    def hot() -> None:
        if off.is_on:
            raise AssertionError

    nothing = per_call_ns(lambda: None)
    table = Table("what", "ns a call", "figure")
    for name, call, figure in (
        ("a counter", hits.inc, 500),
        ("a histogram", lambda: took.observe(0.003), 500),
        ("a place that is traced, tracing off", hot, 40),
    ):
        table.add_row(name, f"{per_call_ns(call) - nothing:.0f}", f"≤ {figure}")
    Console().print(table)


if __name__ == "__main__":
    main()
