"""Several processes' metrics as one, and as Prometheus' text format 0.0.4."""

from collections.abc import Iterable, Sequence
from typing import Any

from brokle.kernel.metrics import Dump

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def merge(dumps: Iterable[Dump], *, keeps_gauges: bool = True) -> Dump:
    """Counters and histograms are added; gauges as their family says. A dead process has no gauges."""
    merged: Dump = {}
    for dump in dumps:
        for name, family in dump.items():
            if family["kind"] == "gauge" and not keeps_gauges:
                continue
            target = merged.setdefault(name, {**family, "rows": []})
            _add_rows(target, family["rows"])
    return merged


def _add_rows(family: dict[str, Any], rows: list[Any]) -> None:
    known = {tuple(labels): place for place, (labels, _) in enumerate(family["rows"])}
    for labels, value in rows:
        place = known.get(tuple(labels))
        if place is None:
            family["rows"].append([labels, value])
        else:
            family["rows"][place][1] = _together(family, family["rows"][place][1], value)


def _together(family: dict[str, Any], one: Any, other: Any) -> Any:
    if family["kind"] == "histogram":
        if len(one[0]) != len(other[0]):  # buckets of another version; what cannot be added is let go
            return other
        return [[a + b for a, b in zip(one[0], other[0], strict=True)], one[1] + other[1]]
    if family["merge"] == "max":
        return max(one, other)
    if family["merge"] == "min":
        return min(one, other)
    return one + other


Rows = Sequence[tuple[tuple[str, ...], float]]


def gauge_family(meaning: str, labels: tuple[str, ...], rows: Rows) -> dict[str, Any]:
    """A family whose values are known only at the scrape."""
    return _family("gauge", meaning, labels, rows)


def counter_family(meaning: str, labels: tuple[str, ...], rows: Rows) -> dict[str, Any]:
    return _family("counter", meaning, labels, rows)


def _family(kind: str, meaning: str, labels: tuple[str, ...], rows: Rows) -> dict[str, Any]:
    listed = [[list(values), value] for values, value in rows]
    return {"kind": kind, "meaning": meaning, "labels": list(labels), "merge": "sum", "bounds": [], "rows": listed}


def render(dump: Dump) -> bytes:
    lines: list[str] = []
    for name in sorted(dump):
        family = dump[name]
        meaning = family["meaning"].replace("\\", "\\\\").replace("\n", "\\n")
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {family['kind']}"]
        for values, value in sorted(family["rows"], key=lambda row: row[0]):
            pairs = list(zip(family["labels"], values, strict=True))
            if family["kind"] == "histogram":
                lines += _histogram(name, pairs, family["bounds"], value)
            else:
                lines.append(f"{name}{_labels(pairs)} {_number(value)}")
    return ("\n".join(lines) + "\n").encode()


def _histogram(name: str, pairs: list[tuple[str, str]], bounds: list[float], value: Any) -> list[str]:
    counts, total = value
    lines, seen = [], 0
    for bound, count in zip([*(_number(b) for b in bounds), "+Inf"], counts, strict=True):
        seen += count
        lines.append(f"{name}_bucket{_labels([*pairs, ('le', bound)])} {seen}")
    lines.append(f"{name}_sum{_labels(pairs)} {_number(total)}")
    lines.append(f"{name}_count{_labels(pairs)} {seen}")
    return lines


def _labels(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
