"""Where a budget is counted: the span of the calendar it stands in, and the name of its counter."""

from datetime import datetime, timedelta
from typing import Final

KEY_PREFIX: Final = "bk:lim:"
CROSSED: Final = "bk:lim:crossed"
"""The counters of budgets of which a share was reached that people are told of."""
COUNTED: Final = "bk:lim:counted"
"""There while budgets are counted. An emptied Redis has it not, and nothing is spent until they are counted anew."""
_FOREVER_MS: Final = 4_102_444_800_000  # the year 2100


def name_of_key(key_id: str) -> str:
    """The budget that an API key says of itself."""
    return f"budget:{key_id}"


def window_of(window: str, now: datetime) -> tuple[str, int]:
    """The name of the span a budget counts in, and when it ends, in milliseconds since 1970."""
    start = start_of(window, now)
    if start is None:
        return "total", _FOREVER_MS
    if window == "day":
        return f"{start:%Y-%m-%d}", _ms(start + timedelta(days=1))
    if window == "week":
        return f"{start:%G-W%V}", _ms(start + timedelta(days=7))
    return f"{start:%Y-%m}", _ms((start + timedelta(days=32)).replace(day=1))


def start_of(window: str, now: datetime) -> datetime | None:
    """When that span began; what counts for ever did not begin."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        return day
    if window == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if window == "month" else None


def counter_of(name: str, window: str, now: datetime) -> tuple[str, int]:
    """What the limit is called that counts it now, and when it ends, in milliseconds since 1970."""
    span, end_ms = window_of(window, now)
    return f"{name}:{span}", end_ms


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
