"""Server-side tables: the URL holds sort, filters and cursor; a room's selector gets them checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.http import QueryDict


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    is_numeric: bool = False
    is_sortable: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    key: str
    is_descending: bool = True

    @property
    def text(self) -> str:
        return f"-{self.key}" if self.is_descending else self.key

    @classmethod
    def from_query(cls, query: QueryDict, columns: Sequence[Column], default: "Sort") -> "Sort":
        """`?sort=cost` or `?sort=-cost`; anything that is not a sortable column falls back to the default."""
        asked = query.get("sort", "")
        key = asked.removeprefix("-")
        if any(column.key == key and column.is_sortable for column in columns):
            return cls(key, asked.startswith("-"))
        return default


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    is_numeric: bool
    sort: str
    state: str


@dataclass(frozen=True, slots=True)
class Table:
    """What the table component draws around the rows."""

    caption: str
    columns: Sequence[Column]
    sort: Sort | None = None
    previous_cursor: str = ""
    next_cursor: str = ""
    count_text: str = ""
    headings: list[Heading] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headings", [self._heading(column) for column in self.columns])

    def _heading(self, column: Column) -> Heading:
        if not column.is_sortable:
            return Heading(column.title, column.is_numeric, "", "")
        if self.sort is None or self.sort.key != column.key:
            return Heading(column.title, column.is_numeric, f"-{column.key}", "none")
        flipped = Sort(column.key, not self.sort.is_descending)
        return Heading(
            column.title, column.is_numeric, flipped.text, "descending" if self.sort.is_descending else "ascending"
        )
