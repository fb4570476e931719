import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokle.kernel.money import Money, UnableToMixCurrencies

amounts = st.integers(-(10**15), 10**15)


@given(amounts, amounts)
def test_sums_are_exact(one, other):
    assert (Money(one) + Money(other)).micros == one + other
    assert (Money(one) - Money(other)) == -(Money(other) - Money(one))


def test_decimals_are_kept_to_the_micro():
    assert Money.of("0.000001") == Money(1)
    assert Money.of("19.99", "SAR") == Money(19_990_000, "SAR")
    assert str(Money(-1_500_000)) == "-1.500000 USD"


def test_currencies_do_not_mix():
    with pytest.raises(UnableToMixCurrencies):
        Money(1, "USD") + Money(1, "SAR")
