"""What of a key's budget is spent, read from the counters that calls are refused by."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.orgs.models import ApiKey
from apps.orgs.selectors.keys import burns_of
from apps.orgs.services.keys import Bounds, issue_key
from apps.orgs.testing import make_household, signed_in
from brokle.edge.budgets import counter_of, name_of_key
from brokle.engines.burn import Budget, Burn
from brokle.engines.state import state
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now
from brokle.kernel.money import Money

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)
DOLLAR = 1_000_000_000


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def owner(noor):
    return signed_in(noor.owner)


@pytest.fixture
def key(noor):
    bounds = Bounds(budget_usd_micros=5_000_000, requests_per_minute=60)
    issued = issue_key(environment=noor.production, name="ci", scopes=["gateway"], actor=SYSTEM, bounds=bounds)
    return ApiKey.objects.of(noor.id).get(id=issued.key_id)


def spend(key, nanos):
    counter, _ = counter_of(name_of_key(key.id), key.budget_window, utc_now())
    state().hset(f"bk:lim:{counter}", "spent", nanos)


def burn(spent_dollars, window="month", now=NOON, since=NOON - timedelta(days=400)):
    return Burn(Budget("budget:key_1", 10_000_000, window, since), int(spent_dollars * DOLLAR), now)


def test_the_pace_of_the_month_tells_the_day_it_runs_out():
    """Ten and a half days cost six dollars; the other four last seven days."""
    assert burn(6).runs_out_at == datetime(2026, 11, 18, 12, tzinfo=UTC)
    assert burn(6).ends_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert (burn(6).left, burn(6).share) == (Money(4_000_000), 0.6)


def test_a_budget_that_lasts_has_no_such_day():
    assert burn(2).runs_out_at is None
    assert burn(0).runs_out_at is None
    assert burn(10).runs_out_at is None


def test_a_day_is_counted_from_its_midnight_and_all_time_from_the_key():
    assert burn(8, "day").runs_out_at == NOON + timedelta(hours=3)
    assert burn(8, "total", since=NOON - timedelta(days=8)).runs_out_at == NOON + timedelta(days=2)
    assert burn(8, "total").ends_at is None
    assert burn(0.000001, "total", since=NOON - timedelta(days=8)).runs_out_at is None


def test_a_key_made_a_moment_ago_is_not_judged_by_a_moment():
    assert burn(5, since=NOON - timedelta(seconds=1)).runs_out_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("spent", "tone"), [(0, ""), (7.99, ""), (8, "warn"), (9.99, "warn"), (10, "bad"), (11, "bad")]
)
def test_it_warns_from_four_fifths_and_says_when_it_is_used_up(spent, tone):
    assert burn(spent).tone == tone
    assert burn(spent).left == Money(max(0, round((10 - spent) * 1_000_000)))


def test_only_keys_with_a_budget_have_one(noor, key):
    spend(key, DOLLAR)
    found = burns_of(ApiKey.objects.of(noor.id), now=utc_now())

    assert list(found) == [key.id]
    assert found[key.id].spent == Money(1_000_000)


def test_the_pages_tell_what_is_spent(owner, key):
    spend(key, 4_500_000_000)

    for path in ("/noor/settings/keys", f"/noor/settings/keys/{key.id}?env=default/production"):
        page = owner.get(path).content.decode()
        assert "<bdi>$4.50</bdi> of <bdi>$5.00</bdi> spent" in page
        assert 'class="meter warn"' in page
    assert "<bdi>60</bdi> requests a minute" in owner.get("/noor/settings/keys").content.decode()


def test_without_redis_the_page_says_so(owner, key, stop_redis):
    stop_redis()

    page = owner.get(f"/noor/settings/keys/{key.id}?env=default/production")

    assert page.status_code == 200
    assert "cannot be read right now" in page.content.decode()
