"""`when`: what must be true of a call for a target of a route to count; every line of it must fit.

when: {tag.tier: [gold, silver], segment: vip, input_tokens: {min: 8000}, capability: image-input}
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from brokle.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be asked about a call. `segments`, `flags` and `traits` are what audiences know of its user."""

    model: str = ""
    user: str = ""
    session: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    environment: str = ""
    endpoint: str = ""
    input_tokens: int = 0
    output_tokens: int | None = None
    is_stream: bool = False
    needs: frozenset[str] = frozenset()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    segments: frozenset[str] = frozenset()
    flags: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)


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
    "key": lambda facts: facts.key,
    "environment": lambda facts: facts.environment,
    "endpoint": lambda facts: facts.endpoint,
    "region": lambda facts: facts.tags.get("region", ""),
    "stream": lambda facts: "true" if facts.is_stream else "false",
}
_KNOWN: Final = ", ".join((*_WORDS, *_NUMBERS, "tag.…", "metadata.…", "capability", "segment", "flag.…", "trait.…"))
_AUDIENCE: Final = frozenset({"segment", "flag", "trait"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Condition:
    """`needs_audience` tells that segments or flags must be asked for before it can be judged."""

    __slots__ = ("_tests", "needs_audience")

    def __init__(self, when: Mapping[str, Any]) -> None:
        """Raises Invalid, naming what is not understood."""
        self._tests = [(name, _test(name, asked)) for name, asked in when.items()]
        self.needs_audience = any(name.partition(".")[0] in _AUDIENCE for name in when)

    def misfit(self, facts: Facts) -> str:
        """The first line that does not fit; empty when all do."""
        return next((name for name, test in self._tests if not test(facts)), "")


def _test(name: str, asked: Any) -> Test:
    if name in _NUMBERS:
        return _number(name, asked)
    wanted = _texts(name, asked)
    if name == "stream" and not wanted <= {"true", "false"}:
        raise Invalid("the condition `stream` takes true or false")
    if name in _WORDS:
        word = _WORDS[name]
        return lambda facts: word(facts) in wanted
    if name == "segment":
        return lambda facts: not facts.segments.isdisjoint(wanted)
    if name == "capability":  # the target is for calls that need all of these
        return lambda facts: wanted <= facts.needs
    family, _, inner = name.partition(".")
    if family in _FAMILIES and _NAME.fullmatch(inner):
        held = _FAMILIES[family]
        return lambda facts: _text(held(facts).get(inner, "")) in wanted
    raise Invalid(f"a condition cannot ask for `{name[:60]}`; it can for {_KNOWN}")


_FAMILIES: Final[dict[str, Callable[[Facts], Mapping[str, Any]]]] = {
    "tag": lambda facts: facts.tags,
    "metadata": lambda facts: facts.tags,
    "flag": lambda facts: facts.flags,
    "trait": lambda facts: facts.traits,
}


def _number(name: str, asked: Any) -> Test:
    """One number, one of several, or from `min` to `max`, both included."""
    read = _NUMBERS[name]
    if isinstance(asked, dict):
        low, high = asked.get("min"), asked.get("max")
        if not asked or asked.keys() - {"min", "max"} or not all(_is_number(one) for one in (low or 0, high or 0)):
            raise Invalid(f"the condition `{name}` takes a number, or {{min: …, max: …}}")
        return lambda facts: (low is None or read(facts) >= low) and (high is None or read(facts) <= high)
    values = asked if isinstance(asked, list) else [asked]
    if not values or not all(_is_number(value) for value in values):
        raise Invalid(f"the condition `{name}` takes a number, or {{min: …, max: …}}")
    return lambda facts: read(facts) in values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(name: str, asked: Any) -> frozenset[str]:
    values = asked if isinstance(asked, list) else [asked]
    if not values or not all(isinstance(value, str | int | float | bool) for value in values):
        raise Invalid(f"the condition `{name}` takes a value or a list of values")
    return frozenset(_text(value) for value in values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
