"""From usage to money. Prices are whole pico-dollars a token, costs whole nano-dollars: no float, no drift."""

import time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from apps.routing.edge.usage import Usage

_PICOS_PER_USD_PER_MTOK: Final = 1_000_000
_PICOS_PER_NANO: Final = 1_000
_PICOS_PER_USD: Final = 10**12
_MS_PER_HOUR: Final = 3_600_000
_S_PER_DAY: Final = 86_400
_UNSAID: Final = -1


class Tier(msgspec.Struct, array_like=True, frozen=True):
    """What every token costs once a call has more input than `above`."""

    above: int
    price: "Price"


class Hours(msgspec.Struct, array_like=True, frozen=True):
    """What holds each day from one second of it (UTC) until another; an end before the start is past midnight."""

    start_s: int
    end_s: int
    price: "Price"

    def hold_at(self, second: int) -> bool:
        if self.end_s < self.start_s:
            return second >= self.start_s or second < self.end_s
        return self.start_s <= second < self.end_s


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
    image_input: int = _UNSAID
    image_output: int = _UNSAID
    audio_hour: int = 0
    character: int = 0
    image: int = 0
    search: int = 0
    page: int = 0
    web_search: int = 0
    tiers: list[Tier] = []
    hours: list[Hours] = []

    @property
    def is_known(self) -> bool:
        """A model without a price is not free: nobody knows what it costs."""
        return bool(self.version)

    def at(self, input_tokens: int, at_s: float | None = None) -> "Price":
        """The one of its prices that a call of this size at this moment is charged by."""
        price = self
        if price.hours:
            second = int(time.time() if at_s is None else at_s) % _S_PER_DAY
            price = next((span.price for span in reversed(price.hours) if span.hold_at(second)), price)
        return next((tier.price for tier in reversed(price.tiers) if input_tokens > tier.above), price)

    def cost_nanos(self, usage: Usage, at_s: float | None = None) -> int:
        price = self.at(usage.all_input, at_s) if self.tiers or self.hours else self
        picos = price.token_picos(usage)
        if usage.is_tokens_alone:
            return _rounded(picos, _PICOS_PER_NANO)
        picos += (
            usage.characters * price.character
            + usage.images * price.image
            + usage.searches * price.search
            + usage.pages * price.page
            + usage.web_searches * price.web_search
        )
        # An hour's price has no whole part for a millisecond, so everything is counted in the finer grain.
        return _rounded(picos * _MS_PER_HOUR + usage.audio_ms * price.audio_hour, _PICOS_PER_NANO * _MS_PER_HOUR)

    def token_picos(self, usage: Usage) -> int:
        picos = self.request + usage.input * self.input + usage.output * self.output
        return picos if usage.is_text_alone else picos + self._other_picos(usage)

    def _other_picos(self, usage: Usage) -> int:
        return (
            usage.cache_read * self._or(self.cache_read, self.input)
            + usage.cache_write_5m * self._or(self.cache_write_5m, self.input)
            + usage.cache_write_1h * self._or(self.cache_write_1h, self._or(self.cache_write_5m, self.input))
            + usage.reasoning * self._or(self.reasoning, self.output)
            + usage.audio_input * self._or(self.audio_input, self.input)
            + usage.audio_output * self._or(self.audio_output, self.output)
            + usage.image_input * self._or(self.image_input, self.input)
            + usage.image_output * self._or(self.image_output, self.output)
        )

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


def _rounded(amount: int, grain: int) -> int:
    """To the nearest whole, halves to the even one."""
    whole, rest = divmod(amount, grain)
    return whole + (rest * 2 > grain or (rest * 2 == grain and whole % 2 == 1))
