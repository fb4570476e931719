"""What this process counts. Values are bound once and then cost one addition; files and text are others' work.

Label values come from our own code only: never from a request, a key or a model's name.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "max", "min"]
Dump = dict[str, dict[str, Any]]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_CHILDREN_MAX = 5000


class TooManyLabels(Exception):
    """A label takes values without end; its metric would eat the memory of every process and scraper."""


class Counter:
    """Only grows. One bytecode-level addition: CPython switches threads between calls, not inside it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount

    def row(self) -> Any:
        return self.value


class Gauge:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        self.value = value

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount

    def dec(self, amount: float = 1.0) -> None:
        self.value -= amount

    def row(self) -> Any:
        return self.value


class Histogram:
    """Fixed buckets; `counts` has one more for what is above them all."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def row(self) -> Any:
        return [list(self.counts), self.sum]


M = TypeVar("M", Counter, Gauge, Histogram)


class Family(Generic[M]):
    """One metric and its children by label values. Bind children before the hot path: `family.of("edge")`."""

    __slots__ = ("_children", "_make", "bounds", "kind", "labels", "meaning", "merge", "name")

    def __init__(
        self,
        name: str,
        kind: Kind,
        meaning: str,
        labels: tuple[str, ...],
        make: Callable[[], M],
        merge: Merge = "sum",
        bounds: tuple[float, ...] = (),
    ) -> None:
        self.name, self.kind, self.meaning, self.labels = name, kind, meaning, labels
        self.merge, self.bounds = merge, bounds
        self._make: Callable[[], M] = make
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *values: str) -> M:
        found = self._children.get(values)
        if found is not None:
            return found
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} of them")
        if len(self._children) >= _CHILDREN_MAX:
            raise TooManyLabels(self.name)
        return self._children.setdefault(values, self._make())

    def dump(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "meaning": self.meaning,
            "labels": list(self.labels),
            "merge": self.merge,
            "bounds": list(self.bounds),
            "rows": [[list(values), child.row()] for values, child in list(self._children.items())],
        }


class Registry:
    def __init__(self) -> None:
        self._families: dict[str, Family[Any]] = {}
        self.before_dump: list[Callable[[], None]] = []

    def counter(self, name: str, meaning: str, *labels: str) -> Family[Counter]:
        return self._add(Family(name, "counter", meaning, labels, Counter))

    def gauge(self, name: str, meaning: str, *labels: str, merge: Merge = "sum") -> Family[Gauge]:
        """`merge` says what several processes are together."""
        return self._add(Family(name, "gauge", meaning, labels, Gauge, merge))

    def histogram(
        self, name: str, meaning: str, *labels: str, bounds: tuple[float, ...] = SECONDS
    ) -> Family[Histogram]:
        def make() -> Histogram:
            return Histogram(bounds)

        return self._add(Family(name, "histogram", meaning, labels, make, "sum", bounds))

    def _add(self, family: Family[M]) -> Family[M]:
        if family.name in self._families:
            raise ValueError(f"the metric {family.name} is declared twice")
        self._families[family.name] = family
        return family

    def dump(self) -> Dump:
        for refresh in self.before_dump:
            refresh()
        return {name: family.dump() for name, family in self._families.items()}


registry = Registry()
counter, gauge, histogram = registry.counter, registry.gauge, registry.histogram
