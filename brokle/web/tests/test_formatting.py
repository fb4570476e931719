from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from brokle.kernel.money import Money
from brokle.web import formatting

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("micros", "currency", "text"),
    [
        (0, "USD", "$0.00"),
        (418_200_000, "USD", "$418.20"),
        (1_234_567_890_000, "USD", "$1,234,567.89"),
        (14_200, "USD", "$0.0142"),
        (100, "USD", "$0.0001"),
        (99, "USD", "<$0.0001"),
        (-2_500_000, "EUR", "\N{MINUS SIGN}€2.50"),
        (149_000_000, "SAR", "149.00 SAR"),
    ],
)
def test_money_reads_with_cents_and_small_sums_with_four_decimals(micros, currency, text):
    assert formatting.money_text(Money(micros, currency)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1_000, "1K"), (1_284_112, "1.28M"), (2_000_000_000, "2B"), (0.5, "0.5")],
)
def test_large_numbers_are_shortened(value, text):
    assert formatting.compact_text(value) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (0.6, "0.60 ms"), (41, "41 ms"), (999.4, "999 ms"), (1_840, "1.84 s"), (125_000, "2 min 5 s")],
)
def test_durations_choose_their_unit(milliseconds, text):
    assert formatting.duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (1_000, "1.0 kB"), (2_500_000, "2.5 MB"), (7_000_000_000_000, "7.0 TB")]
)
def test_sizes_choose_their_unit(size, text):
    assert formatting.bytes_text(size) == text


def test_ages_are_told_in_the_readers_language():
    moment = NOW - timedelta(minutes=5)

    assert formatting.ago_text(moment, NOW) == "5\u00a0minutes ago"
    assert formatting.ago_text(NOW, NOW) == "just now"
    assert formatting.ago_text(NOW + timedelta(hours=2), NOW) == "in 2\u00a0hours"
    with translation.override("ar"):
        assert "5" in formatting.ago_text(moment, NOW)


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Amal Haddad", "AH"), ("amal@noor.example", "AN"), ("أمل", "أ"), ("أمل حداد", "أ\u200cح"), ("", "")],
)
def test_initials_come_from_the_first_two_words(name, letters):
    assert formatting.initials_text(name) == letters


def test_a_spark_is_scaled_to_its_box_and_a_flat_one_runs_through_the_middle():
    assert formatting.spark_path([0, 5, 10]) == "M0.0,28.0L100.0,15.0L200.0,2.0"
    assert formatting.spark_path([3, 3]) == "M0.0,15.0L200.0,15.0"
    assert formatting.spark_path([3]) == ""


@pytest.mark.parametrize(("share", "text"), [(0.61248, "61.25%"), (1.7, "100%"), (-1, "0%")])
def test_a_share_stays_within_its_bar(share, text):
    assert formatting.percent_text(share) == text
