"""Money is integer micro-units with a currency; arithmetic across currencies is refused."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

MICROS = 1_000_000
NANOS_PER_MICRO = 1_000


class UnableToMixCurrencies(Exception):
    pass


@dataclass(frozen=True, slots=True, order=True)
class Money:
    micros: int
    currency: str = "USD"

    @classmethod
    def of(cls, amount: Decimal | str | int, currency: str = "USD") -> "Money":
        micros = (Decimal(amount) * MICROS).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        return cls(int(micros), currency)

    @classmethod
    def of_nanos(cls, nanos: int, currency: str = "USD") -> "Money":
        """Costs of single calls are kept finer than money is shown; half a micro rounds to even."""
        return cls(round(Decimal(nanos) / NANOS_PER_MICRO), currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.micros + self._same(other).micros, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.micros - self._same(other).micros, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.micros, self.currency)

    def __str__(self) -> str:
        return f"{Decimal(self.micros) / MICROS:.6f} {self.currency}"

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise UnableToMixCurrencies(f"{self.currency} and {other.currency}")
        return other
