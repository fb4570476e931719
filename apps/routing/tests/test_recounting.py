"""An emptied Redis gets its budgets back from what was recorded."""

from datetime import UTC, datetime

import pytest

from apps.orgs.services.keys import Bounds, issue_key
from apps.orgs.testing import make_household
from apps.routing.services.limits import create_limit
from apps.routing.services.recounting import recount_budgets
from brokle.edge.budgets import COUNTED, counter_of, name_of_key
from brokle.engines.clickhouse_url import connect
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder
from brokle.engines.state import state
from brokle.ground.models import UsageRecord
from brokle.ground.services import SYSTEM
from brokle.settings.env import env

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


@pytest.fixture
def analytics():
    """ClickHouse as it is after `brokle migrate up`."""
    list(ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder()).up(None))
    return connect(env.text("CLICKHOUSE_URL"))


def test_users_routes_models_and_providers_are_counted_from_the_log(noor, analytics):
    facts = {"organization_id": noor.id, "measured": "usd", "window": "month", "actor": SYSTEM, "amount": 10_000_000}
    user, one, route, model, provider = (
        create_limit(project_id=noor.made.project.id, name=f"{subject}{only}", subject=subject, only=only, **facts)
        for subject, only in [("user", ""), ("user", "huda"), ("route", ""), ("model", ""), ("provider", "oa")]
    )
    place = noor.id, noor.made.project.id, noor.production.id
    elsewhere = noor.id, "prj_other", "env_other"
    october = datetime(2036, 10, 30, tzinfo=UTC)
    columns = ["request_id", "organization_id", "project_id", "environment_id", "at"]
    columns += ["user_id", "route", "provider", "model", "cost_usd_nanos"]
    rows = [
        ("r1", *place, NOON, "huda", "fast", "oa", "gpt", 3 * CENT),
        ("r1", *place, NOON, "huda", "fast", "oa", "gpt", 3 * CENT),
        ("r2", *place, NOON, "samir", "fast", "oa", "gpt", 4 * CENT),
        ("r3", *place, NOON, "", "", "an", "claude", 5 * CENT),
        ("r4", *place, october, "huda", "fast", "oa", "gpt", 100 * CENT),
        ("r5", *elsewhere, NOON, "huda", "fast", "oa", "gpt", 100 * CENT),
    ]
    analytics.insert("request_logs", rows, column_names=columns)

    recount_budgets(now=NOON)

    assert (spent(f"{user.id}:huda"), spent(f"{user.id}:samir"), spent(f"{user.id}:")) == (3, 4, 0)
    assert (spent(f"{one.id}:huda"), spent(f"{one.id}:samir")) == (3, 0)
    assert spent(f"{route.id}:fast") == 7
    assert (spent(f"{model.id}:oa/gpt"), spent(f"{model.id}:an/claude")) == (7, 5)
    assert (spent(f"{provider.id}:oa"), spent(f"{provider.id}:an")) == (7, 0)
