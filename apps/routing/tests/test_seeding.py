from datetime import UTC, datetime, timedelta

import pytest

from apps.orgs.facade import list_key_places
from apps.orgs.models import Organization
from apps.orgs.services.seeding import seed_organization
from apps.routing.models import Provider, Route
from apps.routing.selectors.requests import get_totals
from apps.routing.services.seeding import seed_routing
from brokle.engines.analytics import forget_organization
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder
from brokle.kernel.money import Money
from brokle.settings.env import env

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def test_two_weeks_of_traffic_are_there_once():
    list(ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder()).up(None))
    seed_organization("demo", clock=lambda: NOW)
    noor = Organization.objects.get(slug="noor-health")

    [line] = seed_routing("demo", clock=lambda: NOW)
    again = seed_routing("demo", clock=lambda: NOW)

    assert line.startswith("noor-health: 2 providers, 2 routes, ")
    assert again == []
    assert set(Provider.objects.of(noor.id).values_list("name", flat=True)) == {"openai", "anthropic"}
    assert set(Route.objects.of(noor.id).values_list("name", flat=True)) == {"assistant", "second-opinion"}
    environments = {key.environment_id for key in list_key_places(organization_id=noor.id)}
    since = NOW - timedelta(days=15)
    totals = [get_totals(organization_id=noor.id, environment_id=one, since=since, until=NOW) for one in environments]
    assert sum(one.requests for one in totals) > 2000
    assert all(one.cost != Money(0) for one in totals if one.requests > 50)
    assert 0 < sum(one.errors for one in totals) < 100
    forget_organization("request_logs", noor.id)
    forget_organization("ai_routing_metrics", noor.id)
