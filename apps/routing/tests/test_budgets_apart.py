"""Of budgets that keys carry and of those counted for each of many, shares are told as soon as calls reach them."""

import asyncio
import os
from datetime import timedelta

import pytest

from apps.orgs.models import ApiKey, Notification
from apps.orgs.selectors.destinations import paths_to
from apps.orgs.services.keys import Bounds, issue_key, revoke_key
from apps.orgs.testing import make_household, make_member
from apps.routing.edge.admission import Admission, Estimate
from apps.routing.edge.book import LimitRecord
from apps.routing.edge.plan import Plan
from apps.routing.edge.upstreams import EchoUpstream
from apps.routing.edge.usage import Usage
from apps.routing.models import BudgetNotice
from apps.routing.services.budgets import EVENT, tell_thresholds
from apps.routing.services.limits import create_limit
from brokle.edge.budgets import CROSSED, counter_of, name_of_key
from brokle.edge.http import Request
from brokle.edge.limits import Limiter
from brokle.edge.principal import KeyRecord, Principal
from brokle.edge.resp import RedisLink
from brokle.engines.state import state
from brokle.ground.models import OutboxEntry
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
DOLLAR = 1_000_000_000


@pytest.fixture
def noor():
    state().delete(CROSSED)
    return make_household("noor")


@pytest.fixture
def key(noor):
    return issued(noor, 10_000_000)


@pytest.fixture
def each(noor):
    facts = {"subject": "user", "only": "", "measured": "usd", "window": "month", "amount": 10_000_000, "actor": SYSTEM}
    return create_limit(organization_id=noor.id, project_id=None, name="each-user", **facts)


def issued(noor, micros):
    bounds = Bounds(budget_usd_micros=micros)
    made = issue_key(environment=noor.production, name="ci", scopes=["gateway"], actor=SYSTEM, bounds=bounds)
    return ApiKey.objects.of(noor.id).get(id=made.key_id)


def spend(principal, dollars, *rules, user=""):
    """As one call of the gateway does."""
    asyncio.run(called(principal, dollars, rules, user))


async def called(principal, dollars, rules, user):
    link = RedisLink(os.environ["REDIS_URL"])  # noqa: TID251 - the suite's own Redis
    await link.start()
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, None, None)
    request.principal = principal
    plan = Plan([EchoUpstream("fast")])
    plan.limits = rules
    admission = Admission(Limiter(link))
    await admission.take(request, user, plan, Estimate(10, 10))
    await admission.settle(Usage(input=10, output=10), int(dollars * DOLLAR))
    await link.stop()


def of_key(key):
    return Principal(KeyRecord(key.id, "o", "p", "e", ["gateway"], budget_usd_micros=key.budget_usd_micros))


def rule(limit):
    return LimitRecord(limit.id, limit.name, limit.subject, limit.measured, limit.amount, limit.window)


def told():
    rows = OutboxEntry.objects.filter(payload__event=EVENT).order_by("id")
    return [(row.payload["data"]["name"], row.payload["data"]["percent"]) for row in rows]


def test_the_budget_of_a_key_is_told_at_each_share_once(key):
    for dollars, expected in [(4.99, []), (0.01, [50]), (1, [50]), (2, [50, 80]), (2, [50, 80, 100])]:
        spend(of_key(key), dollars)
        tell_thresholds()
        tell_thresholds()
        assert told() == [("ci", percent) for percent in expected]
    assert not state().exists(CROSSED)


def test_each_user_has_notices_of_their_own(each):
    anybody = Principal(KeyRecord("key_1", "o", "p", "e", ["gateway"]))
    spend(anybody, 5, rule(each), user="huda")
    spend(anybody, 9, rule(each), user="samir:2")
    spend(anybody, 1, rule(each), user="lina")
    tell_thresholds()
    assert sorted(told()) == [("each-user · huda", 50), ("each-user · samir:2", 80)]

    spend(anybody, 5, rule(each), user="huda")
    tell_thresholds()
    assert len(told()) == 3


def test_a_revoked_key_and_a_removed_limit_are_told_of_no_more(key, each):
    spend(of_key(key), 9)
    spend(Principal(KeyRecord("key_1", "o", "p", "e", ["gateway"])), 9, rule(each), user="huda")
    revoke_key(key=key, actor=SYSTEM, at=utc_now())
    each.delete()

    assert tell_thresholds() == 0
    assert not state().exists(CROSSED)


def crossed(key, dollars, now):
    counter, _ = counter_of(name_of_key(key.id), key.budget_window, now)
    state().hset(f"bk:lim:{counter}", "spent", int(dollars * DOLLAR))
    state().sadd(CROSSED, f"bk:lim:{counter}")


def test_a_redis_that_forgot_what_was_told_tells_nothing_twice(key):
    now = utc_now()
    for _ in range(2):
        crossed(key, 9, now)
        tell_thresholds(now=now)

    assert told() == [("ci", 80)]


def test_another_amount_and_another_month_are_told_anew(key):
    now = utc_now()
    crossed(key, 5, now)
    tell_thresholds(now=now)
    key.budget_usd_micros = 5_000_000
    key.save()
    crossed(key, 5, now)
    tell_thresholds(now=now)
    later = now + timedelta(days=40)
    crossed(key, 5, later)
    tell_thresholds(now=later)

    assert told() == [("ci", 50), ("ci", 100), ("ci", 100)]
    assert BudgetNotice.objects.across_organizations().count() == 1


def test_who_keeps_limits_is_led_to_the_keys(noor, key):
    admin = make_member(noor, "admin")
    crossed(key, 8, utc_now())
    tell_thresholds()
    while deliver_due():
        pass

    notice = Notification.objects.of(noor.id).get(user_id=admin.pk, event=EVENT)
    assert notice.about == "ci · 80 %"
    assert paths_to([notice])[notice.id] == "/noor/settings/keys?env=default/production"
