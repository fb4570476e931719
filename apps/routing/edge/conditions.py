"""`when`: what must be true of a call for a target of a route to count; every line of it must fit.

when: {tag.tier: [gold, silver], segment: vip, input_tokens: {gt: 8000}, capability: image-input}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from brokle.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be asked about a call. `segments` and `flags` are what audiences know of its user."""

    model: str = ""
    user: str = ""
    session: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    input_tokens: int = 0
    output_tokens: int | None = None
    is_stream: bool = False
    needs: frozenset[str] = frozenset()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    segments: frozenset[str] = frozenset()
    flags: Mapping[str, Any] = field(default_factory=dict)


Test = Callable[[Facts], bool]

_NUMBERS: Final[dict[str, Callable[[Facts], float]]] = {
    "input_tokens": lambda facts: facts.input_tokens,
    "hour": lambda facts: facts.at.hour,
    "weekday": lambda facts: facts.at.isoweekday(),
}
_WORDS: Final[dict[str, Callable[[Facts], str]]] = {
    "model": lambda facts: facts.model,
    "user": lambda facts: facts.user,
    "session": lambda facts: facts.session,
    "environment": lambda facts: facts.environment,
    "region": lambda facts: facts.tags.get("region", ""),
    "stream": lambda facts: "true" if facts.is_stream else "false",
}
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "gt": lambda held, asked: held > asked,
    "gte": lambda held, asked: held >= asked,
    "lt": lambda held, asked: held < asked,
    "lte": lambda held, asked: held <= asked,
    "eq": lambda held, asked: held == asked,
}
NAMES: Final = (*_WORDS, *_NUMBERS, "tag.…", "metadata.…", "segment", "flag.…", "capability")
AUDIENCE: Final = ("segment", "flag")


class Condition:
    """`needs_audience` tells that segments or flags must be asked for before it can be judged."""

    __slots__ = ("_tests", "needs_audience")

    def __init__(self, when: Mapping[str, Any]) -> None:
        """Raises Invalid, naming what is not understood."""
        self._tests = [(name, _test(name, asked)) for name, asked in when.items()]
        self.needs_audience = any(name.partition(".")[0] in AUDIENCE for name in when)

    def misfit(self, facts: Facts) -> str:
        """The first line that does not fit; empty when all do."""
        return next((name for name, test in self._tests if not test(facts)), "")


def _test(name: str, asked: Any) -> Test:
    if name in _NUMBERS:
        return _number(name, asked)
    wanted = _texts(name, asked)
    family, _, inner = name.partition(".")
    if name in _WORDS:
        word = _WORDS[name]
        return lambda facts: word(facts) in wanted
    if family in {"tag", "metadata"} and inner:
        return lambda facts: facts.tags.get(inner, "") in wanted
    if name == "segment":
        return lambda facts: not facts.segments.isdisjoint(wanted)
    if family == "flag" and inner:
        return lambda facts: _text(facts.flags.get(inner, "")) in wanted
    if name == "capability":
        return wanted_capabilities(wanted)
    raise Invalid(f"`when` does not know `{name[:60]}`; it knows {', '.join(NAMES)}")


def wanted_capabilities(wanted: frozenset[str]) -> Test:
    """The target is for calls that need all of these."""
    return lambda facts: wanted <= facts.needs


def _number(name: str, asked: Any) -> Test:
    bounds = asked if isinstance(asked, dict) else {"eq": asked}
    for sign, bound in bounds.items():
        if sign not in _COMPARE or isinstance(bound, bool) or not isinstance(bound, int | float):
            raise Invalid(f"`when.{name}` is a number or bounds such as {{gt: 8000}}; signs are {', '.join(_COMPARE)}")
    read = _NUMBERS[name]
    return lambda facts: all(_COMPARE[sign](read(facts), bound) for sign, bound in bounds.items())


def _texts(name: str, asked: Any) -> frozenset[str]:
    values = asked if isinstance(asked, list) else [asked]
    if not values or not all(isinstance(value, str | int | float | bool) for value in values):
        raise Invalid(f"`when.{name}` is a value or a list of values")
    return frozenset(_text(value) for value in values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
