"""Cursor pages for every list of the management API: `?cursor=&limit=` → `{data, next_cursor}`.

Ids are sortable, so "after this id" is stable whatever is inserted meanwhile: new rows are newer than the first page.
"""

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from brokle.kernel.errors import BadRequest

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
M = TypeVar("M", bound=Model)
_ID = re.compile(r"[a-z]{2,8}_[0-9a-z]{1,40}")


class CursorPages(BasePagination):
    cursor_name = "cursor"
    limit_name = "limit"

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        limit = read_limit(request.query_params.get(self.limit_name, ""))
        cursor = request.query_params.get(self.cursor_name, "")
        by = getattr(view, "cursor_field", "id")
        rows = queryset.order_by(f"-{by}")
        if cursor:
            rows = rows.filter(**{f"{by}__lt": read_cursor(cursor)})
        found = list(rows[: limit + 1])
        self._next_cursor = write_cursor(getattr(found[limit - 1], by)) if len(found) > limit else None
        return found[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next_cursor": self._next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {
                "data": schema,
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Send it back as `cursor`; null at the end.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
        return [
            _parameter(self.cursor_name, "`next_cursor` of the page before.", {"type": "string"}),
            _parameter(self.limit_name, f"Rows a page; more than {LIMIT_MAX} gives {LIMIT_MAX}.", limit),
        ]


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    rows: list[M]
    next_cursor: str


def page_after(rows: "QuerySet[M]", cursor: str, size: int) -> Page[M]:
    """For lists of the console, newest first; a cursor that is none of ours begins anew."""
    with suppress(BadRequest):
        rows = rows.filter(pk__lt=read_cursor(cursor))
    found = list(rows.order_by("-pk")[: size + 1])
    return Page(found[:size], write_cursor(found[size - 1].pk) if len(found) > size else "")


def read_limit(text: str) -> int:
    if not text:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise BadRequest("`limit` is a whole number above 0", field="limit")
    return min(int(text), LIMIT_MAX)


def write_cursor(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    try:
        last_id = base64.b64decode(cursor.encode("ascii") + b"==", altchars=b"-_").decode("ascii")
    except (binascii.Error, ValueError):
        last_id = ""
    if not _ID.fullmatch(last_id):
        raise BadRequest("`cursor` is not one of ours; begin again without it", field="cursor")
    return last_id


def _parameter(name: str, meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}
