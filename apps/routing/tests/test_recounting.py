"""An emptied Redis gets its budgets back from what was recorded."""

from datetime import UTC, datetime

import pytest

from apps.orgs.services.keys import Bounds, issue_key
from apps.orgs.testing import make_household
from apps.routing.services.limits import create_limit
from apps.routing.services.recounting import recount_budgets
from brokle.edge.budgets import COUNTED, counter_of, name_of_key
from brokle.engines.state import state
from brokle.ground.models import UsageRecord
from brokle.ground.services import SYSTEM

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
# So far ahead that no counter of it is over.
NOON = datetime(2036, 11, 11, 12, tzinfo=UTC)
CENT = 10_000_000


@pytest.fixture
def noor():
    state().delete(COUNTED)
    yield make_household("noor")
    state().delete(COUNTED)


@pytest.fixture
def key(noor):
    bounds = Bounds(budget_usd_micros=5_000_000)
    return issue_key(environment=noor.production, name="ci", scopes=["gateway"], actor=SYSTEM, bounds=bounds)


def used(noor, number, cents, *, key_id="", at=NOON):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id, "environment_id": noor.production.id}
    UsageRecord.objects.create(
        id=f"req_{number}", **place, key_id=key_id, meter="m", quantity=1, cost_usd_nanos=cents * CENT, at=at
    )


def spent(name, window="month"):
    counter, _ = counter_of(name, window, NOON)
    return int(state().hget(f"bk:lim:{counter}", "spent") or 0) // CENT


def test_keys_projects_and_organizations_are_counted_in_their_own_window(noor, key):
    facts = {"organization_id": noor.id, "only": "", "measured": "usd", "actor": SYSTEM, "amount": 10_000_000}
    month = create_limit(project_id=noor.made.project.id, name="m", subject="project", window="month", **facts)
    ever = create_limit(project_id=None, name="e", subject="organization", window="total", **facts)
    each = create_limit(project_id=None, name="k", subject="key", window="day", **facts)
    used(noor, 1, 3, key_id=key.key_id)
    used(noor, 2, 4, key_id=key.key_id, at=datetime(2036, 11, 2, tzinfo=UTC))
    used(noor, 3, 100, key_id=key.key_id, at=datetime(2036, 10, 31, tzinfo=UTC))
    used(noor, 4, 5)

    recount_budgets(now=NOON)

    assert spent(name_of_key(key.key_id)) == 7
    assert spent(f"{month.id}:{noor.made.project.id}") == 12
    assert spent(f"{ever.id}:{noor.id}", "total") == 112
    assert spent(f"{each.id}:{key.key_id}", "day") == 3
    assert state().exists(COUNTED)


def test_what_was_booked_meanwhile_is_not_counted_twice(noor, key):
    used(noor, 1, 3, key_id=key.key_id)
    counter, _ = counter_of(name_of_key(key.key_id), "month", NOON)
    for already, expected in [(1, 3), (4, 4)]:
        state().hset(f"bk:lim:{counter}", "spent", already * CENT)
        recount_budgets(now=NOON)
        recount_budgets(now=NOON)
        assert spent(name_of_key(key.key_id)) == expected
