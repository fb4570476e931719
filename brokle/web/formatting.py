"""Figures as people read them: Latin digits in every language; the templates isolate them from right-to-left text."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape

from django.utils import timezone
from django.utils.html import escape, format_html, strip_tags
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext

from brokle.kernel.money import MICROS, Money

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_SCALES = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K"))
_SPARK_MARGIN = 2.0
_MINUS = "\N{MINUS SIGN}"
_NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"


def money_text(amount: Money) -> str:
    """Cents, below one unit four decimals; what is smaller says so, and `str(amount)` has every digit."""
    size = abs(amount.micros)
    shown = max(size, 100) if size else 0
    decimals = 2 if size == 0 or size >= MICROS else 4
    figure = f"{Decimal(shown) / MICROS:,.{decimals}f}"
    sign = ("<" if shown > size else "") + (_MINUS if amount.micros < 0 else "")
    symbol = _SYMBOLS.get(amount.currency)
    return f"{sign}{symbol}{figure}" if symbol else f"{sign}{figure} {amount.currency}"


def number_text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def compact_text(value: float) -> str:
    for scale, letter in _SCALES:
        if abs(value) >= scale:
            return f"{value / scale:.2f}".rstrip("0").rstrip(".") + letter
    return number_text(value)


def duration_text(milliseconds: float) -> str:
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms" if milliseconds >= 1 or milliseconds == 0 else f"{milliseconds:.2f} ms"
    seconds = milliseconds / 1_000
    return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def bytes_text(size: int) -> str:
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} TB"


def ago_text(moment: datetime, now: datetime | None = None) -> str:
    current = now or timezone.now()
    if abs(current - moment) < timedelta(minutes=1):
        return gettext("just now")
    if moment > current:
        return gettext("in %(duration)s") % {"duration": timesince(current, moment, depth=1)}
    return gettext("%(duration)s ago") % {"duration": timesince(moment, current, depth=1)}


def initials_text(name: str) -> str:
    """Arabic letters are kept from joining to what would read as a word."""
    letters = [word[0] for word in name.replace(".", " ").replace("@", " ").split()[:2]]
    return ("" if "".join(letters).isascii() else _NON_JOINER).join(letters).upper()


def spark_path(values: Sequence[float], width: float = 200, height: float = 30) -> str:
    """An SVG path through the values, scaled to the box; empty for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    room = height - 2 * _SPARK_MARGIN
    step = width / (len(values) - 1)
    heights = [room * (value - low) / (high - low) if high > low else (room / 2 if high else 0.0) for value in values]
    return "M" + "L".join(
        f"{index * step:.1f},{height - _SPARK_MARGIN - rise:.1f}" for index, rise in enumerate(heights)
    )


def sentence(text: str, **names: object) -> SafeString:
    """A translated text with names in it, each isolated, for notices and errors on pages of either direction."""
    isolated = {key: format_html("<bdi>{}</bdi>", value) for key, value in names.items()}
    return SafeString(escape(text) % isolated)


def plain_text(text: str) -> str:
    """Without the isolation that pages need: for programs and mails."""
    return unescape(strip_tags(text)) if isinstance(text, SafeString) else text


def percent_text(share: float) -> str:
    """A share of 0 to 1 as an SVG length, within bounds."""
    return f"{100 * min(max(share, 0.0), 1.0):.4g}%"
