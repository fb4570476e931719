"""Downloads of rows that people open in a spreadsheet or read by a program, line by line, whatever their number."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.http import StreamingHttpResponse

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Line:
    """What csv.writer writes to: gives the line back."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _as_json(value) if isinstance(value, (dict, list)) else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([safe_cell(row[column]) for column in columns])


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One array, an object a line."""
    between = "[\n"
    for row in rows:
        yield between + _as_json(row)
        between = ",\n"
    yield "\n]\n" if between == ",\n" else "[]\n"


def download(name: str, kind: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> StreamingHttpResponse:
    lines = csv_lines(columns, rows) if kind == "csv" else json_lines(rows)
    content_type = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"', "cache-control": "no-store"}
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
