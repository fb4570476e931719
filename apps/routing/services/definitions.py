"""What a route may say: the same words in the configuration file and in the management API."""

from typing import Annotated, Any, Final, Literal

import msgspec

from apps.routing.edge.conditions import Condition
from apps.routing.edge.route import USUAL_CAUSES, Cause
from brokle.kernel.errors import Invalid

Strategy = Literal["fallback", "weighted", "latency", "cost", "busy", "usage", "quality"]
RouteName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$")]
ModelName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=31_536_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
LONGEST_TIMEOUT_MS: Final = 3_600_000
USUAL_TIMEOUT_MS: Final = 600_000
Deadline = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_TIMEOUT_MS)]

MOST_TARGETS: Final = 50


class Range(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    min: int | None = None
    max: int | None = None


Fitting = Text | bool | int | float | Range | Annotated[list[Text | int], msgspec.Meta(min_length=1, max_length=100)]


class TargetEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`when` holds if everything in it does: a value, one of several, or a range of numbers.

    `timeout_ms` is how long one attempt may take to begin to answer, before the next target is asked.
    """

    model: ModelName
    weight: Weight = 1
    when: dict[str, Fitting] = {}
    timeout_ms: Deadline | None = None

    def check(self, name: str) -> None:
        try:
            Condition(msgspec.to_builtins(self.when))
        except Invalid as error:
            raise Invalid(f"route `{name}`: {error.detail}") from None


class CacheEntry(msgspec.Struct, forbid_unknown_fields=True):
    mode: Literal["off", "exact", "semantic"] = "exact"
    ttl: Seconds = 3600
    threshold: Share | None = None
    namespace: Text | None = None


class ShadowEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A copy of so many of a hundred calls goes to this model too; its answer is kept and given to nobody."""

    model: ModelName
    percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 100


class Definition(msgspec.Struct, forbid_unknown_fields=True):
    """Everything of a route but its name; a version of it never changes."""

    targets: Annotated[list[TargetEntry], msgspec.Meta(min_length=1, max_length=MOST_TARGETS)]
    strategy: Strategy = "fallback"
    retries: Count = 0
    timeout_ms: Deadline = USUAL_TIMEOUT_MS
    cache: CacheEntry | None = None
    sticky: Literal["", "user", "session"] = ""
    fallback_on: tuple[Cause, ...] = USUAL_CAUSES
    shadow: ShadowEntry | None = None
    hedge_after_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0

    def check(self, name: str) -> None:
        for target in self.targets:
            target.check(name)
            if (target.timeout_ms or 0) > self.timeout_ms:
                own, whole = target.timeout_ms, self.timeout_ms
                raise Invalid(
                    f"route `{name}`: the `timeout_ms` of `{target.model}`, {own}, is longer than the route's, {whole}"
                )
        if self.cache is not None and self.cache.threshold is not None and self.cache.mode != "semantic":
            raise Invalid(f"route `{name}`: a `threshold` belongs to the cache mode `semantic`")
        if self.strategy == "weighted" and not any(target.weight for target in self.targets):
            raise Invalid(f"route `{name}`: one of its targets needs a weight above 0")

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return {name: value for name, value in found.items() if value is not None}


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
