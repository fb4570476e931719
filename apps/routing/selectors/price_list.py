"""Prices in the edge's whole numbers: from dollars as people write them, and from `genai-prices`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from apps.routing.edge.catalogue import ALL, ANY, CONTAINS, ENDS, EQUALS, PATTERN, STARTS, Clause
from apps.routing.edge.prices import Hours, Price, Tier, picos_of_usd, picos_per_token

if TYPE_CHECKING:
    from genai_prices import types as genai

PER_MILLION: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
)
PER_ONE: Final = ("character", "request", "image", "search", "page", "web_search", "second")
# Our bucket → the fields of genai-prices that name it, the first that is given counts.
_MTOK: Final[dict[str, tuple[str, ...]]] = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "reasoning": ("output_reasoning_mtok",),
    "audio_input": ("input_audio_mtok",),
    "audio_output": ("output_audio_mtok",),
    "image_input": ("input_image_mtok",),
    "image_output": ("output_image_mtok",),
}
_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000
_VERSION_LENGTH: Final = 16
# How versions begin: whose list the price stands in.
OURS: Final = "lp"
GENAI: Final = "gp"
# The rest: the field of genai-prices, and how many of our units its price is for.
_OTHERS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "request": (("requests_kcount", _THOUSAND),),
    "audio_hour": (("audio_hours", 1), ("input_audio_hours", 1), ("output_audio_hours", 1)),
    "character": (("input_mchars", _MILLION),),
    "search": (("rerank_searches_kcount", _THOUSAND),),
    "page": (("input_document_kpages", _THOUSAND),),
    "web_search": (("web_searches_kcount", _THOUSAND),),
}


def price_of_usd(usd: Mapping[str, Any], version: str = "", tiers: tuple[Mapping[str, Any], ...] = ()) -> Price:
    """Dollars for a million tokens, or for one of what is not counted in tokens."""
    return Price(
        **_tokens(usd),
        request=picos_of_usd(usd.get("request", 0)),
        version=version,
        audio_hour=picos_of_usd(Decimal(str(usd.get("second", 0))) * 3600),
        character=max(0, picos_per_token(usd.get("character"))),
        image=picos_of_usd(usd.get("image", 0)),
        search=picos_of_usd(usd.get("search", 0)),
        page=picos_of_usd(usd.get("page", 0)),
        web_search=picos_of_usd(usd.get("web_search", 0)),
        tiers=[Tier(int(tier["above"]), price_of_usd({**usd, **tier}, version)) for tier in tiers],
    )


def price_of_genai(model: genai.ModelInfo, now: datetime) -> Price:
    """What holds today; what changes within the day is in its hours."""
    from genai_prices.types import TimeOfDateConstraint

    if not isinstance(model.prices, list):
        return _whole(model.prices)
    spans = list(enumerate(model.prices))
    dated = [(place, price) for place, price in spans if not isinstance(price.constraint, TimeOfDateConstraint)]
    # The last one that is active counts, so hours written before the day's price never do.
    active = (one for one in reversed(dated) if one[1].constraint is None or one[1].constraint.active(now))
    start, base = next(active, spans[0])
    hours = [
        Hours(_second(price.constraint.start_time), _second(price.constraint.end_time), _whole(price.prices))
        for _place, price in spans[start + 1 :]
        if isinstance(price.constraint, TimeOfDateConstraint)
    ]
    return msgspec.structs.replace(_whole(base.prices), hours=hours)


def clause_of(match: Any) -> Clause:
    """A condition of genai-prices on a model's name."""
    for kind, name in ((EQUALS, "equals"), (STARTS, "starts_with"), (ENDS, "ends_with"), (CONTAINS, "contains")):
        if hasattr(match, name):
            return Clause(kind, getattr(match, name).lower())
    if hasattr(match, "regex"):
        return Clause(PATTERN, match.regex)
    kind, parts = (ANY, match.or_) if hasattr(match, "or_") else (ALL, match.and_)
    return Clause(kind, "", [clause_of(part) for part in parts])


def versioned(price: Price, kind: str, model: str, source: str = OURS) -> Price:
    """Named by what it says: the same price of the same model has the same version everywhere and always."""
    bare = _with_version(price, "")
    digest = hashlib.sha256(msgspec.msgpack.encode([kind, model, bare])).hexdigest()
    return _with_version(price, f"{source}_{digest[:_VERSION_LENGTH]}")


def parts_of(price: Price) -> dict[str, str]:
    """The price as people write it: dollars, exact, only what is said."""
    found = {name: _usd_per_mtok(getattr(price, name)) for name in PER_MILLION if getattr(price, name) >= 0}
    found |= {"character": _usd_per_mtok(price.character)} if price.character else {}
    for name in ("request", "image", "search", "page", "web_search", "audio_hour"):
        picos = getattr(price, name)
        if picos:
            found[name] = _plain(Decimal(picos) / 10**12)
    return found


def _whole(prices: genai.ModelPrice) -> Price:
    base = _level(prices, None)
    starts = sorted({tier.start for value in _said(prices) for tier in getattr(value, "tiers", ())})
    return msgspec.structs.replace(base, tiers=[Tier(start, _level(prices, start)) for start in starts])


def _level(prices: genai.ModelPrice, start: int | None) -> Price:
    """The price at a threshold: what has no tier there keeps its last one below."""
    found: dict[str, Any] = {}
    for bucket, names in _MTOK.items():
        value = next((_at(prices.__dict__.get(name), start) for name in names if prices.__dict__.get(name)), None)
        found[bucket] = picos_per_token(value)
    found["input"], found["output"] = max(0, found["input"]), max(0, found["output"])
    for bucket, others in _OTHERS.items():
        value, per = next(((prices.__dict__[n], per) for n, per in others if prices.__dict__.get(n)), (None, 1))
        found[bucket] = picos_of_usd(_at(value, start) / per) if value is not None else 0
    return Price(**found)


def _at(value: Any, start: int | None) -> Any:
    if value is None or not hasattr(value, "tiers"):
        return value
    reached = [tier.price for tier in value.tiers if start is not None and tier.start <= start]
    return reached[-1] if reached else value.base


def _said(prices: genai.ModelPrice) -> Iterator[Any]:
    return (value for value in prices.__dict__.values() if value is not None)


def _tokens(usd: Mapping[str, Any]) -> dict[str, int]:
    found = {name: picos_per_token(usd.get(name)) for name in PER_MILLION}
    return found | {"input": max(0, found["input"]), "output": max(0, found["output"])}


def _with_version(price: Price, version: str) -> Price:
    tiers = [Tier(tier.above, _with_version(tier.price, version)) for tier in price.tiers]
    hours = [Hours(span.start_s, span.end_s, _with_version(span.price, version)) for span in price.hours]
    return msgspec.structs.replace(price, version=version, tiers=tiers, hours=hours)


def _second(moment: time) -> int:
    if moment.tzinfo is not None:
        moment = datetime.combine(datetime(1970, 1, 1, tzinfo=UTC).date(), moment).astimezone(UTC).timetz()
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _usd_per_mtok(picos: int) -> str:
    return _plain(Decimal(picos) / _MILLION)


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
