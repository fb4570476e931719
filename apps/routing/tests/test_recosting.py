import random
from datetime import UTC, datetime, timedelta

import pytest

from apps.orgs.testing import call, make_household, signed_in
from apps.routing.edge.catalogue import OBJECT, Catalogue
from apps.routing.edge.prices import Hours, Price, Tier
from apps.routing.edge.usage import Usage
from apps.routing.models import Recosting, RecostingStatus
from apps.routing.services.providers import add_model, create_provider
from apps.routing.services.recosting import ask_for_recosting, cost_expression, recost
from apps.routing.snapshot import compile_catalogue
from apps.routing.testing import put_small_catalogue
from brokle.engines import clickhouse_url
from brokle.engines.analytics import Query
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder
from brokle.ground.services import SYSTEM
from brokle.kernel.errors import Invalid
from brokle.settings.env import env

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = (
    "request_id",
    "organization_id",
    "project_id",
    "environment_id",
    "at",
    "model",
    "provider",
    "status",
    "cache",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd_nanos",
    "price_version",
)


@pytest.fixture
def analytics():
    """ClickHouse as it is after `brokle migrate up`."""
    list(ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder()).up(None))
    return clickhouse_url.connect(env.text("CLICKHOUSE_URL"))


@pytest.fixture
def noor():
    return make_household("noor")


def insert(analytics, household, *rows):
    """Each: id, provider, model, tokens by bucket, and what differs."""
    place = (household.id, household.made.project.id, household.production.id)
    whole = []
    for request_id, provider, model, tokens, more in rows:
        told = {"at": NOON, "status": 200, "cache": "off", "cost": 5} | more
        whole.append(
            [
                request_id,
                *place,
                told["at"],
                model,
                provider,
                told["status"],
                told["cache"],
                *tokens,
                told["cost"],
                "old",
            ]
        )
    analytics.insert("request_logs", whole, column_names=COLUMNS)


def costs(household):
    query = Query(
        table="request_logs", organization_id=household.id, columns=("request_id", "cost_usd_nanos", "price_version")
    )
    return {row["request_id"]: (row["cost_usd_nanos"], row["price_version"]) for row in query.rows()}


def asked(household, **more):
    return ask_for_recosting(
        organization_id=household.id,
        environment_id=household.production.id,
        since=NOON - timedelta(days=1),
        until=NOON + timedelta(days=1),
        actor=SYSTEM,
        **more,
    )


def test_past_requests_are_charged_by_the_prices_that_hold(analytics, noor):
    put_small_catalogue()
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    create_provider(**place, name="oa", kind="openai", actor=SYSTEM)
    own = create_provider(**place, name="own", kind="groq", actor=SYSTEM)
    mine = add_model(provider=own, name="m", upstream_name="up-m", prices={"input": "1", "output": "2"}, actor=SYSTEM)
    insert(
        analytics,
        noor,
        ("r1", "oa", "gpt-4o-mini", (1000, 100, 0, 50, 0), {}),
        ("r2", "own", "up-m", (10, 0, 0, 5, 0), {}),
        ("r3", "own", "nobody-knows", (10, 0, 0, 5, 0), {}),
        ("r4", "gone", "gpt-4o-mini", (10, 0, 0, 5, 0), {}),
        ("r5", "oa", "gpt-4o-mini", (10, 0, 0, 5, 0), {"cache": "hit", "cost": 0}),
        ("r6", "oa", "gpt-4o-mini", (10, 0, 0, 5, 0), {"status": 500, "cost": 0}),
        ("r7", "oa", "gpt-4o-mini", (10, 0, 0, 5, 0), {"at": NOON - timedelta(days=3)}),
    )
    job = asked(noor)

    assert recost(organization_id=noor.id, recosting_id=job.id) == 2
    mini = Catalogue.of(compile_catalogue(OBJECT)).find("openai", "gpt-4o-mini").price
    usage = Usage(input=1000, cache_read=100, output=50)
    found = costs(noor)
    assert found["r1"] == (mini.cost_nanos(usage), mini.version)
    assert found["r2"] == (20_000, mine.price_version)
    assert [found[name] for name in ("r3", "r4", "r7")] == [(5, "old")] * 3
    assert [found[name] for name in ("r5", "r6")] == [(0, "old")] * 2
    job.refresh_from_db()
    assert (job.status, job.requests, job.unpriced) == (RecostingStatus.DONE, 2, 2)
    assert (job.cost_before_usd_nanos, job.cost_after_usd_nanos) == (20, mini.cost_nanos(usage) + 20_000 + 10)
    assert recost(organization_id=noor.id, recosting_id=job.id) == 0


def test_only_the_model_that_was_asked_about_changes(analytics, noor):
    put_small_catalogue()
    create_provider(organization_id=noor.id, project_id=noor.made.project.id, name="oa", kind="openai", actor=SYSTEM)
    insert(
        analytics,
        noor,
        ("a", "oa", "gpt-4o-mini", (1, 0, 0, 0, 0), {}),
        ("b", "oa", "gpt-4o", (1, 0, 0, 0, 0), {}),
    )
    job = asked(noor, provider="oa", model="gpt-4o")

    assert recost(organization_id=noor.id, recosting_id=job.id) == 1
    assert (costs(noor)["a"], costs(noor)["b"][0]) == ((5, "old"), 2500)


def test_anothers_requests_are_out_of_reach(analytics, noor):
    zahra = make_household("zahra")
    put_small_catalogue()
    for household in (noor, zahra):
        create_provider(
            organization_id=household.id,
            project_id=household.made.project.id,
            name="oa",
            kind="openai",
            actor=SYSTEM,
        )
        insert(analytics, household, (f"of-{household.id}", "oa", "gpt-4o", (1, 0, 0, 0, 0), {}))
    job = asked(noor)

    assert recost(organization_id=zahra.id, recosting_id=job.id) == 0
    assert recost(organization_id=noor.id, recosting_id=job.id) == 1
    assert costs(zahra) == {f"of-{zahra.id}": (5, "old")}


def test_the_engine_counts_to_the_same_nano_dollar(analytics):
    """Against `Price.cost_nanos`, for tiers and halves too."""
    chance = random.Random(7)  # noqa: S311 - a fixed sequence
    high = Price(input=777, output=3001, cache_read=77, version="lp_x")
    price = Price(
        input=500, output=1501, cache_read=50, reasoning=11, request=250, version="lp_x", tiers=[Tier(900, high)]
    )
    expression = cost_expression(price)
    for _ in range(200):
        counts = [chance.randrange(600) for _ in range(5)]
        names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
        said = ", ".join(f"toUInt32({count}) AS {name}" for count, name in zip(counts, names, strict=True))
        usage = Usage(
            input=counts[0], cache_read=counts[1], cache_write_5m=counts[2], output=counts[3], reasoning=counts[4]
        )
        [[cost]] = analytics.query(f"SELECT {expression} FROM (SELECT {said})").result_rows  # noqa: S608 - numbers of ours
        assert cost == price.cost_nanos(usage), counts


def test_hours_of_the_day_have_their_own_price(analytics, noor, monkeypatch):
    night = Price(input=1000, version="lp_day")
    day = Price(input=9000, version="lp_day", hours=[Hours(0, 6 * 3600, night)])
    monkeypatch.setattr("apps.routing.services.recosting._price", lambda *_: day)
    insert(
        analytics,
        noor,
        ("noon", "oa", "m", (1000, 0, 0, 0, 0), {}),
        ("night", "oa", "m", (1000, 0, 0, 0, 0), {"at": NOON.replace(hour=3)}),
    )
    recost(organization_id=noor.id, recosting_id=asked(noor).id)

    assert costs(noor) == {"noon": (9000, "lp_day"), "night": (1000, "lp_day")}


@pytest.mark.parametrize(
    ("since", "until"), [(NOON, NOON), (NOON, NOON - timedelta(days=1)), (NOON - timedelta(days=61), NOON)]
)
def test_a_span_is_forward_and_bounded(noor, since, until):
    with pytest.raises(Invalid):
        ask_for_recosting(
            organization_id=noor.id, environment_id=noor.production.id, since=since, until=until, actor=SYSTEM
        )
    assert Recosting.objects.of(noor.id).count() == 0


def test_it_is_asked_for_by_people_over_the_api(noor, client):
    path = f"/api/v1/recostings?environment={noor.production.id}"
    body = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z", "model": "gpt-4o"}
    owner = signed_in(noor.owner)
    made = call(owner, "POST", path, body)

    assert made.status_code == 202
    assert (made.json()["status"], made.json()["model"]) == ("waiting", "gpt-4o")
    assert [row["id"] for row in call(owner, "GET", path).json()["data"]] == [made.json()["id"]]
    shown = call(owner, "GET", f"{made['location']}?environment={noor.production.id}")
    assert shown.json() == made.json()
    assert call(client, "POST", "/api/v1/recostings", body, **noor.bearer).status_code == 403
