"""What `overview.html` shows: the routing room fills it from requests, the gallery from samples."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop

from brokle.kernel.money import Money
from brokle.web.tables import Column, Sort, Table

DEFAULT_RANGE = "24h"
RANGES = {
    "1h": (gettext_noop("Last hour"), timedelta(hours=1)),
    "24h": (gettext_noop("Last 24 hours"), timedelta(hours=24)),
    "7d": (gettext_noop("Last 7 days"), timedelta(days=7)),
    "30d": (gettext_noop("Last 30 days"), timedelta(days=30)),
}
COLUMNS = [
    Column("time", gettext_noop("Time"), is_sortable=True),
    Column("model", gettext_noop("Model")),
    Column("key", gettext_noop("Key")),
    Column("tokens", gettext_noop("Tokens"), is_numeric=True, is_sortable=True),
    Column("cost", gettext_noop("Cost"), is_numeric=True, is_sortable=True),
    Column("latency", gettext_noop("Latency"), is_numeric=True, is_sortable=True),
    Column("status", gettext_noop("Status")),
]


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    figure: str
    delta: str
    mood: str
    values: list[float]
    color: str


@dataclass(frozen=True, slots=True)
class Row:
    """A request as the table shows it."""

    id: str
    at: datetime
    model: str
    key: str
    tokens: int | None
    cost: Money
    duration_ms: float
    tone: str
    status: str
    note: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    href: str


def requests_table(sort: Sort | None = None, next_cursor: str = "") -> Table:
    return Table(gettext_noop("Requests"), COLUMNS, sort, next_cursor=next_cursor)


def range_menu(name: str = DEFAULT_RANGE) -> dict[str, object]:
    """`ranges` and `range` of the page's context."""
    lines = {key: Line(title, f"?range={key}") for key, (title, _) in RANGES.items()}
    return {"ranges": list(lines.values()), "range": lines[name]}
