"""From usage to money. Prices are whole pico-dollars a token, costs whole nano-dollars: no float, no drift."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from apps.routing.edge.usage import Usage

_PICOS_PER_USD_PER_MTOK: Final = 1_000_000
_PICOS_PER_NANO: Final = 1_000
_PICOS_PER_USD: Final = 10**12
_UNSAID: Final = -1


class Price(msgspec.Struct, array_like=True, frozen=True):
    """Pico-dollars for one token of each bucket. What a price list leaves unsaid costs what its family costs.

    Append fields, never reorder: older processes read newer records.
    """

    input: int = 0
    output: int = 0
    cache_read: int = _UNSAID
    cache_write_5m: int = _UNSAID
    cache_write_1h: int = _UNSAID
    reasoning: int = _UNSAID
    audio_input: int = _UNSAID
    audio_output: int = _UNSAID
    request: int = 0
    version: str = ""

    def cost_nanos(self, usage: Usage) -> int:
        picos = (
            self.request
            + usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self._or(self.cache_read, self.input)
            + usage.cache_write_5m * self._or(self.cache_write_5m, self.input)
            + usage.cache_write_1h * self._or(self.cache_write_1h, self._or(self.cache_write_5m, self.input))
            + usage.reasoning * self._or(self.reasoning, self.output)
            + usage.audio_input * self._or(self.audio_input, self.input)
            + usage.audio_output * self._or(self.audio_output, self.output)
        )
        nanos, rest = divmod(picos, _PICOS_PER_NANO)
        return nanos + (rest * 2 > _PICOS_PER_NANO or (rest * 2 == _PICOS_PER_NANO and nanos % 2 == 1))

    @staticmethod
    def _or(price: int, family: int) -> int:
        return family if price == _UNSAID else price


FREE: Final = Price()


def picos_per_token(usd_per_mtok: Decimal | str | float | None) -> int:
    """A list price, dollars for a million tokens, as pico-dollars a token; None is unsaid."""
    if usd_per_mtok is None:
        return _UNSAID
    exact = Decimal(str(usd_per_mtok)) * _PICOS_PER_USD_PER_MTOK
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def picos_of_usd(usd: Decimal | str | float) -> int:
    return int((Decimal(str(usd)) * _PICOS_PER_USD).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def usd_text(nanos: int) -> bytes:
    """Exact, and a number in JSON too."""
    whole, rest = divmod(nanos, 1_000_000_000)
    return b"%d.%09d" % (whole, rest)
