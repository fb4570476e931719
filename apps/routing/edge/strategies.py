"""In which order a route's targets are tried. The first is the choice, the rest are who comes after it fails."""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from apps.routing.edge.conditions import Facts
from apps.routing.edge.upstreams import Upstream
from apps.routing.edge.usage import Usage

_USUAL_OUTPUT: Final = 500
_UNKNOWN: Final = float("inf")


class Candidate(NamedTuple):
    """`patience_s` is how long an attempt may take to begin to answer; 0 is as long as the route has."""

    upstream: Upstream
    weight: int
    patience_s: float = 0.0


Order = Callable[[Sequence[Candidate], Facts, float], list[Candidate]]


def _as_written(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    return list(candidates)


def _by_weight(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    """A target of weight 0 is never the choice, and still there when all others fail."""
    return sorted(candidates, key=_lot, reverse=True)


def _lot(candidate: Candidate) -> float:
    return random.random() ** (1 / candidate.weight) if candidate.weight else -1.0  # noqa: S311 - spreads load


def _by_latency(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    return _better_of_two(candidates, lambda candidate: candidate.upstream.measure.latency_s(is_stream=facts.is_stream))


def _by_load(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    return _better_of_two(candidates, lambda candidate: candidate.upstream.measure.in_flight / max(1, candidate.weight))


def _by_usage(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    """Least used first, measured against what its weight says it can take."""
    return sorted(
        candidates,
        key=lambda candidate: candidate.upstream.measure.tokens_per_minute(now) / max(1, candidate.weight),
    )


def _by_cost(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: expected_cost(candidate.upstream, facts))


def _by_quality(candidates: Sequence[Candidate], facts: Facts, now: float) -> list[Candidate]:
    """Who has no score yet keeps its place behind those that have one."""
    return sorted(candidates, key=lambda candidate: -(candidate.upstream.quality or 0.0))


STRATEGIES: Final[dict[str, Order]] = {
    "fallback": _as_written,
    "weighted": _by_weight,
    "latency": _by_latency,
    "cost": _by_cost,
    "busy": _by_load,
    "usage": _by_usage,
    "quality": _by_quality,
}


def expected_cost(upstream: Upstream, facts: Facts) -> float:
    """In nano-dollars. Nobody knows what an unpriced model costs, so that it comes last."""
    if not upstream.price.is_known and upstream.provider != "echo":
        return _UNKNOWN
    output = _USUAL_OUTPUT if facts.output_tokens is None else facts.output_tokens
    return upstream.price.cost_nanos(Usage(input=facts.input_tokens, output=output))


def _better_of_two(candidates: Sequence[Candidate], score: Callable[[Candidate], float]) -> list[Candidate]:
    """Two are drawn and the better one is taken: nearly as good as the best of all, and no stampede to it."""
    drawn = random.sample(list(candidates), min(2, len(candidates)))
    chosen = min(drawn, key=score)
    others = sorted((candidate for candidate in candidates if candidate is not chosen), key=score)
    return [chosen, *others]


def kept_to(candidates: Sequence[Candidate], who: str) -> list[Candidate]:
    """The same user or session meets the same target in every process, for as long as the target is there.

    Shares follow the weights, and a target that comes or goes moves only its own share (rendezvous hashing).
    """

    def rank(candidate: Candidate) -> float:
        drawn = hashlib.blake2b(f"{who}\0{candidate.upstream.label}".encode(), digest_size=8).digest()
        lot = (int.from_bytes(drawn) + 1) / 2**64
        return lot ** (1 / candidate.weight) if candidate.weight else -1.0

    return sorted(candidates, key=rank, reverse=True)
