"""One route of a book, ready to be asked: which targets count for a call, in what order, and why."""

import random
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from apps.routing.edge.book import RouteRecord, TargetRecord
from apps.routing.edge.conditions import Condition, Facts
from apps.routing.edge.strategies import STRATEGIES, Candidate, kept_to
from apps.routing.edge.upstreams import Upstream

Cause = Literal["error", "rate_limit", "timeout", "context_window", "capability", "content_policy"]
USUAL_CAUSES: Final[tuple[Cause, ...]] = ("error", "rate_limit", "timeout", "context_window", "capability")


class Shadow(msgspec.Struct, frozen=True):
    """A copy of some calls goes to another model too; its answer is recorded and thrown away."""

    model: str
    percent: float = 100.0


class RouteSettings(msgspec.Struct, frozen=True):
    """What a definition says beside its targets; members that are not known here are somebody else's."""

    sticky: Literal["", "user", "session"] = ""
    fallback_on: tuple[Cause, ...] = USUAL_CAUSES
    shadow: Shadow | None = None
    hedge_after_ms: int = 0


_decode_settings: Final = msgspec.json.Decoder(RouteSettings).decode
_decode_when: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Target:
    __slots__ = ("candidate", "condition", "timeout_ms", "upstream", "weight")

    def __init__(self, upstream: Upstream, record: TargetRecord) -> None:
        self.upstream = upstream
        self.weight = record.weight
        self.timeout_ms = record.timeout_ms
        self.condition = Condition(_decode_when(record.when)) if record.when else None
        self.candidate = Candidate(upstream, record.weight, record.timeout_ms / 1000)


class Considered(msgspec.Struct, frozen=True):
    """What became of one target: `place` is its turn from 1, or 0 where it is left out, and why.

    `timeout_ms` is its own deadline, 0 where it has none.
    """

    target: str
    place: int
    reason: str
    timeout_ms: int = 0


class Route:
    __slots__ = ("_order", "_targets", "name", "needs_audience", "record", "settings")

    def __init__(self, record: RouteRecord, find: Callable[[str], Upstream | None]) -> None:
        self.record = record
        self.name = record.name
        self.settings = _decode_settings(record.settings) if record.settings else RouteSettings()
        self._order = STRATEGIES.get(record.strategy, STRATEGIES["fallback"])
        found = ((find(target.model), target) for target in record.targets)
        self._targets = [Target(upstream, target) for upstream, target in found if upstream]
        self.needs_audience = any(t.condition.needs_audience for t in self._targets if t.condition is not None)

    @property
    def is_empty(self) -> bool:
        return not self._targets

    def choose(self, facts: Facts) -> list[Candidate]:
        """Those that fit, in the strategy's order; who cannot take a call of this kind or size comes behind them."""
        ordered = self._ordered([t.candidate for t in self._targets if self._misfit(t, facts) == ""], facts)
        if all(obstacle(candidate.upstream, facts) == "" for candidate in ordered):
            return ordered
        return sorted(ordered, key=lambda candidate: obstacle(candidate.upstream, facts) != "")

    def explain(self, facts: Facts) -> list[Considered]:
        chosen = [candidate.upstream.label for candidate in self.choose(facts)]
        return [self._considered(target, facts, chosen) for target in self._targets]

    def mirrors(self) -> bool:
        shadow = self.settings.shadow
        return shadow is not None and random.random() * 100 < shadow.percent  # noqa: S311 - a sample

    def _ordered(self, fitting: list[Candidate], facts: Facts) -> list[Candidate]:
        sticky = self.settings.sticky
        who = (facts.user if sticky == "user" else facts.session) if sticky else ""
        return kept_to(fitting, who) if who else self._order(fitting, facts, time.monotonic())

    def _considered(self, target: Target, facts: Facts, chosen: list[str]) -> Considered:
        label = target.upstream.label
        misfit = self._misfit(target, facts)
        if misfit:
            return Considered(label, 0, f"`when.{misfit}` does not fit", target.timeout_ms)
        place = chosen.index(label) + 1
        reason = obstacle(target.upstream, facts) or self._why(target, facts)
        return Considered(label, place, reason, target.timeout_ms)

    def _why(self, target: Target, facts: Facts) -> str:
        sticky = self.settings.sticky
        if sticky and (facts.user if sticky == "user" else facts.session):
            return f"kept by {sticky}"
        return {
            "weighted": f"weight {target.weight}",
            "fallback": "in the order written",
        }.get(self.record.strategy, f"by {self.record.strategy}")

    @staticmethod
    def _misfit(target: Target, facts: Facts) -> str:
        return target.condition.misfit(facts) if target.condition is not None else ""


def obstacle(upstream: Upstream, facts: Facts) -> str:
    """Why a call would probably fail there; empty where nothing is known to stand in its way."""
    if upstream.context and facts.input_tokens > upstream.context:
        return f"about {facts.input_tokens} tokens do not fit its context of {upstream.context}"
    missing = facts.needs & upstream.dialect.lacks
    if upstream.capabilities:
        missing |= facts.needs - upstream.capabilities
    if missing:
        return f"it has no {', '.join(sorted(missing))}"
    return ""
