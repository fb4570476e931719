"""How upstreams have been doing lately, as this process sees it: what strategies choose by."""

import math
from collections import OrderedDict
from typing import Final

_MEMORY_S: Final = 30.0
_MINUTE_S: Final = 60.0


class Measure:
    """Averages that forget: a sample's weight halves every twenty seconds, so that who recovered is tried again."""

    __slots__ = ("_at", "_former_tokens", "_minute", "_tokens", "duration_s", "in_flight", "ttft_s")

    def __init__(self) -> None:
        self.duration_s = 0.0
        self.ttft_s = 0.0
        self.in_flight = 0
        self._at = 0.0
        self._minute = 0
        self._tokens = 0
        self._former_tokens = 0

    @property
    def is_known(self) -> bool:
        return self._at > 0.0

    def began(self) -> None:
        self.in_flight += 1

    def ended(self, now: float, *, ttft_s: float, duration_s: float) -> None:
        """Of a call that went well. A peak counts at once, what is faster only little by little."""
        old = 0.0 if not self.is_known else math.exp(-(now - self._at) / _MEMORY_S)
        self.ttft_s = _moved(self.ttft_s, ttft_s, old)
        self.duration_s = _moved(self.duration_s, duration_s, old)
        self._at = now

    def released(self) -> None:
        self.in_flight -= 1

    def used(self, now: float, tokens: int) -> None:
        self._turn(now)
        self._tokens += tokens

    def tokens_per_minute(self, now: float) -> float:
        """A sliding minute: what is left of the former one counts by its share."""
        self._turn(now)
        return self._tokens + self._former_tokens * (1 - (now % _MINUTE_S) / _MINUTE_S)

    def latency_s(self, *, is_stream: bool) -> float:
        """What the next call may expect to wait: each call under way makes it longer."""
        return (self.ttft_s if is_stream else self.duration_s) * (self.in_flight + 1)

    def _turn(self, now: float) -> None:
        minute = int(now // _MINUTE_S)
        if minute != self._minute:
            self._former_tokens = self._tokens if minute == self._minute + 1 else 0
            self._tokens = 0
            self._minute = minute


def _moved(value: float, sample: float, old: float) -> float:
    return sample if sample > value else value * old + sample * (1 - old)


class MeasureBoard:
    """One measure for each upstream's name; they outlive the books, which are made anew at every change."""

    __slots__ = ("_capacity", "_measures")

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._measures: OrderedDict[str, Measure] = OrderedDict()

    def measure(self, name: str) -> Measure:
        found = self._measures.get(name)
        if found is None:
            found = self._measures[name] = Measure()
            if len(self._measures) > self._capacity:
                self._measures.popitem(last=False)
        return found
