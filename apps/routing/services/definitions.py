"""What a route may say: the same words in the configuration file and in the management API."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from brokle.kernel.errors import Invalid

Strategy = Literal["fallback", "weighted", "latency", "cost", "busy", "usage", "quality"]
RouteName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$")]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=31_536_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

MOST_TARGETS: Final = 50
_WHOLE: Final = frozenset(
    {"model", "user", "session", "key", "environment", "endpoint", "region", "capability", "segment", "flag", "weekday"}
)
_NAMED: Final = re.compile(r"(tag|metadata|flag|trait)\.[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_RANGES: Final = frozenset({"input_tokens", "hour"})
_SWITCHES: Final = frozenset({"stream"})
_KNOWN: Final = "tag.<name>, metadata.<name>, flag.<name>, trait.<name>, " + ", ".join(
    sorted(_WHOLE | _RANGES | _SWITCHES)
)


class Range(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    min: int | None = None
    max: int | None = None


Fitting = Text | bool | int | float | Range | Annotated[list[Text], msgspec.Meta(min_length=1, max_length=100)]


class TargetEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`when` holds if everything in it does: a value, one of several, or a range of numbers."""

    model: ModelName
    weight: Weight = 1
    when: dict[str, Fitting] = {}

    def check(self, name: str) -> None:
        for asked, value in self.when.items():
            if not (asked in _WHOLE | _RANGES | _SWITCHES or _NAMED.fullmatch(asked)):
                raise Invalid(f"route `{name}`: a condition cannot ask for `{asked}`; it can for {_KNOWN}")
            if (asked in _RANGES) != isinstance(value, Range):
                form = "{min: …, max: …}" if asked in _RANGES else "a value or a list of values"
                raise Invalid(f"route `{name}`: the condition `{asked}` takes {form}")
            if (asked in _SWITCHES) and not isinstance(value, bool):
                raise Invalid(f"route `{name}`: the condition `{asked}` takes true or false")


class CacheEntry(msgspec.Struct, forbid_unknown_fields=True):
    mode: Literal["off", "exact", "semantic"] = "exact"
    ttl: Seconds = 3600
    threshold: Share | None = None
    namespace: Text | None = None


class Definition(msgspec.Struct, forbid_unknown_fields=True):
    """Everything of a route but its name; a version of it never changes."""

    targets: Annotated[list[TargetEntry], msgspec.Meta(min_length=1, max_length=MOST_TARGETS)]
    strategy: Strategy = "fallback"
    retries: Count = 0
    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] = 600_000
    cache: CacheEntry | None = None

    def check(self, name: str) -> None:
        for target in self.targets:
            target.check(name)
        if self.cache is not None and self.cache.threshold is not None and self.cache.mode != "semantic":
            raise Invalid(f"route `{name}`: a `threshold` belongs to the cache mode `semantic`")
        if self.strategy == "weighted" and not any(target.weight for target in self.targets):
            raise Invalid(f"route `{name}`: one of its targets needs a weight above 0")

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        if self.cache is None:
            found.pop("cache")
        return found


class RouteEntry(Definition, forbid_unknown_fields=True, kw_only=True):
    """A route in the configuration file."""

    name: RouteName


def read_definition(name: str, content: dict[str, Any]) -> Definition:
    """From a body of the management API."""
    try:
        found = msgspec.convert(content, Definition)
    except msgspec.ValidationError as error:
        what, _at, place = str(error).partition(" - at `$")
        raise Invalid(f"{place.rstrip('`').lstrip('.') or 'route'}: {what}", field="targets") from None
    found.check(name)
    return found
