"""Redis away, slow or emptied, and PostgreSQL away: what the gateway still does. The numbers go into docs/faults.md."""

import asyncio
import json
import os
import time
from collections import Counter
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis

from brokle.engines.clickhouse_url import connect
from brokle.engines.layout import Layout
from brokle.engines.postgres import Postgres
from brokle.engines.redis_server import Redis
from tests.fakes.toxic import toxic_beside
from tests.fakes.upstream import upstream_beside
from tests.faults.gateway.calling import ask, chat, p99, written
from tests.house import BOOTSTRAP_KEY, house

pytestmark = pytest.mark.engines

RATED, BUDGETED = "bk_test_rated_0123456789abcdef", "bk_test_budgeted_0123456789abcdef"
CAREFUL = "bk_test_careful_0123456789abcdef"
RATE, SECONDS = 60, 12
ADDED_S = 0.05


def _configuration(port: int) -> str:
    return f"""
providers:
  - name: main
    kind: openai-compatible
    base_url: http://127.0.0.1:{port}/v1
    models: [{{id: free}}, {{id: ten-cents, request_usd: 0.10}}]
keys:
  - {{name: rated, value: {RATED}, scopes: [gateway], rpm: 100000}}
  - {{name: careful, value: {CAREFUL}, scopes: [gateway], budget: {{usd: 1.00, period: month, hard: true}}}}
  - {{name: budgeted, value: {BUDGETED}, scopes: [gateway], budget: {{usd: 1.00, period: month, hard: true}}}}
"""


class Engine:
    """Started and stopped as often as a test likes; by the main thread, for it ends with who started it."""

    def __init__(self, engine):
        self._engine = engine
        self._child = None

    @property
    def url(self):
        return self._engine.url

    def start(self):
        self._engine.prepare()
        self._child = self._engine.child()
        self._child.start()
        self._engine.wait_ready(self._child)

    def stop(self):
        if self._child is not None:
            self._child.stop()


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    layout = Layout.at(tmp_path_factory.mktemp("engines"))
    layout.prepare()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKLE_")}
    found = SimpleNamespace(redis=Engine(Redis(layout, environment)), postgres=Engine(Postgres(layout, environment)))
    clickhouse = os.environ["CLICKHOUSE_URL"]
    name = f"engines_{os.getpid()}"
    with connect(clickhouse) as analytics:
        analytics.command(f"CREATE DATABASE {name}")
        found.clickhouse_url = urlunsplit(urlsplit(clickhouse)._replace(path=f"/{name}"))
        found.redis.start()
        found.postgres.start()
        yield found
        found.postgres.stop()
        found.redis.stop()
        analytics.command(f"DROP DATABASE {name} SYNC")


@pytest.fixture(scope="module")
def way(engines):
    """To Redis."""
    with toxic_beside(unix=urlsplit(engines.redis.url).path) as found:
        yield found


@pytest.fixture(scope="module")
def main():
    async def script(talk):
        message = {"index": 0, "message": {"role": "assistant", "content": "peace"}, "finish_reason": "stop"}
        body = json.dumps({"id": "c", "model": "m", "choices": [message]}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        await talk.send(head.encode() + body)

    with upstream_beside() as found:
        found.script = script
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory, engines, way, main):
    folder = tmp_path_factory.mktemp("without")
    (folder / "brokle.yaml").write_text(_configuration(main.port))
    settings = {
        "BROKLE_CONFIG": str(folder / "brokle.yaml"),
        "BROKLE_EGRESS_ALLOW": "127.0.0.1",
        "DATABASE_URL": engines.postgres.url,
        "CLICKHOUSE_URL": engines.clickhouse_url,
        "REDIS_URL": f"redis://:{urlsplit(engines.redis.url).password}@127.0.0.1:{way.port}/0",
    }
    with house(folder / "data", **settings) as started:
        started.wait_for(lambda: call(started, RATED).status == 200 and call(started, BUDGETED).status == 200)
        yield started


def call(home, key, model="main/free"):
    return home.request("POST", "/v1/chat/completions", chat(model), {"authorization": f"Bearer {key}"})


async def calls(home, key, model="main/free", seconds=SECONDS, rate=RATE):
    async def one(number):
        await asyncio.sleep(number / rate)
        return await ask(home.port, written(chat(model), key=key))

    return await asyncio.gather(*(one(number) for number in range(int(rate * seconds))))


def seconds_of(answers):
    return [answer.seconds for answer in answers]


@pytest.fixture(scope="module")
def usual_s(home):
    """What a call takes when all is well."""
    return p99(seconds_of(asyncio.run(calls(home, RATED, seconds=4))))


# Where others use the machine too, times tell little: then only a gross change is found.
@pytest.mark.parametrize("slack", [5, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("fault", ["away", "late"])
async def test_8_without_a_prompt_redis_rates_are_let_go_and_budgets_are_not(
    home, engines, way, usual_s, fault, slack, record_property
):
    if fault == "away":
        engines.redis.stop()
        way.cut_all()
    else:
        way.latency_s = 2.0
    seconds = SECONDS if fault == "away" else SECONDS * 2
    paid = calls(home, CAREFUL, "main/ten-cents", seconds, rate=2)
    rated, budgeted = await asyncio.gather(calls(home, RATED, seconds=seconds), paid)
    if fault == "away":
        engines.redis.start()
    way.latency_s = 0.0
    began = time.monotonic()
    await asyncio.to_thread(home.wait_for, lambda: "x-ratelimit-limit-requests" in call(home, RATED).headers)
    back_s = time.monotonic() - began

    statuses = Counter(answer.status for answer in budgeted)
    added = p99(seconds_of(rated)) - usual_s
    told = (
        f"Redis {fault}: {len(rated)} calls under a rate served, p99 {added * 1000:+.0f} ms; "
        f"under a hard budget {statuses[503]} refused with 503, {statuses[200]} counted late and served; "
        f"all counted again after {back_s:.1f} s"
    )
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md
    assert {answer.status for answer in rated} == {200}
    assert added < ADDED_S * slack
    assert {answer.headers["retry-after"] for answer in budgeted if answer.status == 503} == {"1"}
    assert set(statuses) <= ({503} if fault == "away" else {200, 429, 503})
    assert statuses[200] <= 10


async def test_8_an_emptied_redis_forgets_no_budget(home, engines, record_property):
    before = [call(home, BUDGETED, "main/ten-cents").status for _ in range(5)]
    with psycopg.connect(engines.postgres.url) as database:

        def booked():
            key = "(SELECT id FROM api_keys WHERE name = 'budgeted')"
            total = f"SELECT sum(cost_usd_nanos) FROM usage_record WHERE key_id = {key}"  # noqa: S608 - our own words
            return database.execute(total).fetchone()[0] == 500_000_000

        await asyncio.to_thread(home.wait_for, booked)
    redis.Redis.from_url(engines.redis.url).flushall()

    after, served = [], 0
    async with asyncio.timeout(60):
        while served < 20 and after[-3:] != [429, 429, 429]:
            answer = await ask(home.port, written(chat("main/ten-cents"), key=BUDGETED))
            if answer.status != 503:
                after.append(answer.status)
            served += answer.status == 200
            await asyncio.sleep(0.02)
    rated = await asyncio.to_thread(call, home, RATED)

    told = f"Redis emptied after {before.count(200)} of 10 paid calls: {served} more were let through, then refused"
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md
    assert (before.count(200), served, rated.status) == (5, 5, 200)


def issue(home):
    admin = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    made = home.request("POST", "/api/v1/keys", json.dumps({"name": "brief", "scopes": ["gateway"]}).encode(), admin)
    assert made.status == 201, made.body
    home.wait_for(lambda: call(home, made.json()["value"]).status == 200)
    return made.json()


async def test_9_without_postgresql_keys_go_on_and_a_revoked_one_stops_after(home, engines, record_property):
    key = await asyncio.to_thread(issue, home)
    engines.postgres.stop()
    answers = await calls(home, key["value"], rate=20)
    ready = home.get("/health/ready").status
    engines.postgres.start()

    def is_revoked():
        admin = {"authorization": f"Bearer {BOOTSTRAP_KEY}"}
        return home.request("DELETE", f"/api/v1/keys/{key['id']}", headers=admin).status < 300

    began = time.monotonic()
    await asyncio.to_thread(home.wait_for, is_revoked)
    revoked_s = time.monotonic() - began
    began = time.monotonic()
    await asyncio.to_thread(home.wait_for, lambda: call(home, key["value"]).status == 401, 60)
    stopped_s = time.monotonic() - began

    told = (
        f"PostgreSQL away for {SECONDS} s: {len(answers)} calls answered; a key revoked after {revoked_s:.1f} s "
        f"and stopped {stopped_s:.2f} s later"
    )
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md
    assert {answer.status for answer in answers} == {200}
    assert ready == 200
    assert revoked_s + stopped_s <= 60
