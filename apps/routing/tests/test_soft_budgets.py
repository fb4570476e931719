"""A soft budget warns and refuses nobody; who is told of a budget is told once for each share of it."""

from datetime import UTC, datetime

import pytest

from apps.orgs.testing import make_household, make_member, signed_in
from apps.routing.edge.book import decode_book
from apps.routing.models import UsageLimit
from apps.routing.services.budgets import EVENT, tell_thresholds
from apps.routing.services.limits import LimitEntry, check_limit, create_limit, update_limit
from apps.routing.snapshot import compile_book
from brokle.edge.budgets import counter_of
from brokle.engines.state import state
from brokle.ground.models import OutboxEntry
from brokle.ground.services import SYSTEM
from brokle.kernel.errors import Invalid

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)
FACTS = {"name": "monthly", "subject": "project", "only": "", "measured": "usd", "window": "month"}
DOLLAR = 1_000_000_000


@pytest.fixture
def noor():
    return make_household("noor")


def budget(noor, **more):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    return create_limit(**{**place, "actor": SYSTEM, "amount": 10_000_000, **FACTS, **more})


def spend(limit, whose, dollars, now=NOON):
    counter, _ = counter_of(f"{limit.id}:{whose}", limit.window, now)
    state().hset(f"bk:lim:{counter}", "spent", int(dollars * DOLLAR))


def told():
    rows = OutboxEntry.objects.filter(payload__event=EVENT).order_by("id")
    return [(row.payload["data"]["name"], row.payload["data"]["percent"]) for row in rows]


def test_each_share_is_told_once(noor):
    limit, project = budget(noor, is_soft=True), noor.made.project.id
    for dollars, expected in [
        (4.99, []),
        (5, [50]),
        (6, [50]),
        (8, [50, 80]),
        (10, [50, 80, 100]),
        (99, [50, 80, 100]),
    ]:
        spend(limit, project, dollars)
        tell_thresholds(now=NOON)
        tell_thresholds(now=NOON)
        assert told() == [("monthly", percent) for percent in expected]


def test_a_leap_is_told_as_what_it_reached(noor):
    spend(budget(noor), noor.made.project.id, 9)

    assert tell_thresholds(now=NOON) == 1
    assert told() == [("monthly", 80)]


def test_the_next_month_is_told_anew_and_the_former_is_forgotten(noor):
    limit, later = budget(noor), datetime(2026, 12, 2, tzinfo=UTC)
    spend(limit, noor.made.project.id, 5)
    tell_thresholds(now=NOON)
    spend(limit, noor.made.project.id, 5, later)
    tell_thresholds(now=later)

    assert told() == [("monthly", 50), ("monthly", 50)]
    limit.refresh_from_db()
    assert list(limit.told.values()) == [50]


def test_another_amount_begins_anew(noor):
    limit = budget(noor)
    spend(limit, noor.made.project.id, 10)
    tell_thresholds(now=NOON)
    limit.refresh_from_db()
    update_limit(limit=limit, actor=SYSTEM, amount=20_000_000)
    tell_thresholds(now=NOON)

    assert told() == [("monthly", 100), ("monthly", 50)]


def test_each_project_has_a_counter_of_a_budget_of_all(noor):
    limit = budget(noor, project_id=None)
    spend(limit, noor.made.project.id, 5)
    one = budget(noor, name="u_1", subject="user", only="u_1")
    spend(one, "u_1", 10)
    tell_thresholds(now=NOON)

    assert sorted(told()) == [("monthly", 50), ("u_1", 100)]


def test_without_redis_nobody_is_told(noor, stop_redis):
    budget(noor)
    stop_redis()

    assert tell_thresholds(now=NOON) == 0
    assert told() == []


def test_only_a_budget_can_be_soft(noor):
    with pytest.raises(Invalid, match="only a budget"):
        check_limit({**FACTS, "measured": "requests", "window": "minute", "is_soft": True})
    assert LimitEntry("monthly", "project", usd=10, soft=True).facts()["is_soft"] is True


def test_the_edge_counts_a_soft_budget_and_never_refuses(noor):
    budget(noor, is_soft=True)
    book = decode_book(compile_book(noor.made.project.id))

    assert [(limit.name, limit.is_soft) for limit in book.limits] == [("monthly", True)]


def test_the_form_makes_a_budget_soft(noor):
    developer = signed_in(make_member(noor, "developer"))
    developer.post("/noor/limits/new", {**FACTS, "amount": "5", "is_soft": "on"})
    assert UsageLimit.objects.of(noor.id).get().is_soft
    assert "only warns" in developer.get("/noor/limits").content.decode()

    rate = {**FACTS, "name": "rate", "measured": "requests", "window": "minute", "amount": "5", "is_soft": "on"}
    assert developer.post("/noor/limits/new", rate).status_code == 422
