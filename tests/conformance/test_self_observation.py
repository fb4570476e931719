"""What Brokle tells of itself, judged by Prometheus' parser and OpenTelemetry's own message types."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlencode

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

import brokle
from tests.fakes.collectors import receiver
from tests.house import ADMIN, house
from tests.live.visitor import Visitor, hear, publish, room_of, say

pytestmark = [pytest.mark.engines]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TOKEN = "a-token-for-the-scraper"


@pytest.fixture(scope="module")
def collector():
    with receiver() as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory, collector):
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc,x-team=noor",
        "BROKLE_METRICS_TOKEN": TOKEN,
        "BROKLE_ADMIN_EMAIL": ADMIN[0],
        "BROKLE_ADMIN_PASSWORD": ADMIN[1],
    }
    with house(tmp_path_factory.mktemp("observed") / "data", workers=2, **settings) as started:
        yield started


def scrape(home):
    answer = home.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


CHATS = ("brokle_edge_requests_total", "/v1/chat/completions", "200")


def test_every_process_is_in_one_scrape(home):
    already = scrape(home).get(CHATS, 0)
    for _ in range(20):
        assert home.chat().status == 200
    home.wait_for(lambda: scrape(home).get(("brokle_spool_shipped_total",), 0) >= already + 20)
    home.wait_for(lambda: scrape(home).get(CHATS, 0) == already + 20)
    found = scrape(home)

    assert found[("brokle_build_info", "3." + sys.version.split(".", 1)[1].split()[0], brokle.__version__)] == 1
    assert found[("brokle_edge_request_seconds_count", "/v1/chat/completions")] == already + 20
    assert {name: found[("brokle_engine_up", name)] for name in ("postgres", "redis", "clickhouse")} == {
        "postgres": 1,
        "redis": 1,
        "clickhouse": 1,
    }
    assert (found[("brokle_sink_up", "clickhouse")], found[("brokle_sink_up", "usage")]) == (1, 1)
    assert found[("brokle_snapshot_version",)] >= 0
    assert found[("brokle_snapshot_age_seconds",)] < 5
    assert found[("brokle_redis_errors_total",)] == 0
    assert found[("brokle_live_watchers",)] == 0
    home.wait_for(lambda: scrape(home).get(("brokle_outbox_pending",)) == 0)
    found = scrape(home)
    assert found[("brokle_outbox_oldest_seconds",)] == 0
    assert [found[("brokle_queue_length", queue)] for queue in ("high", "default", "low")] == [0, 0, 0]


def test_a_killed_web_worker_takes_no_count_with_it(home):
    already = scrape(home).get(CHATS, 0)
    for _ in range(5):
        assert home.chat().status == 200
    home.wait_for(lambda: scrape(home).get(CHATS, 0) == already + 5)
    before = scrape(home)[CHATS]
    worker = psutil.Process(home.processes()["web"]["pid"]).children()[0]
    os.kill(worker.pid, signal.SIGKILL)

    home.wait_for(lambda: home.processes()["web"]["restarts"] >= 1)

    after = scrape(home)
    assert after[CHATS] == before
    assert after[("brokle_process_restarts_total", "web")] >= 1


def test_metrics_are_for_loopback_and_for_the_token(home):
    behind_a_proxy = home.get("/metrics", **{"x-forwarded-for": "127.0.0.1"})
    with_token = home.get("/metrics", **{"x-forwarded-for": "198.51.100.9", "authorization": f"Bearer {TOKEN}"})
    wrong = home.get("/metrics", forwarded="for=127.0.0.1", authorization="Bearer wrong")

    assert (behind_a_proxy.status, with_token.status, wrong.status) == (401, 200, 401)
    assert b"brokle_build_info" not in behind_a_proxy.body + wrong.body


def test_how_it_is_doing_inside_is_for_loopback_and_for_the_token(home):
    home.wait_for(lambda: home.get("/health").json()["status"] == "ok")
    own = home.get("/health").json()
    behind_a_proxy = home.get("/health", **{"x-forwarded-for": "127.0.0.1"})
    with_token = home.get("/health", **{"x-forwarded-for": "198.51.100.9", "authorization": f"Bearer {TOKEN}"})
    wrong = home.get("/health", forwarded="for=127.0.0.1", authorization="Bearer wrong")

    assert own["version"] == with_token.json()["version"] == brokle.__version__
    assert {process["name"] for process in with_token.json()["processes"]} >= {"postgres", "web", "shipper", "worker"}
    assert [(answer.status, answer.json()) for answer in (behind_a_proxy, wrong)] == [(200, {"status": "ok"})] * 2
    assert set(home.get("/health/db").json()) == {"status", "ms"}
    assert home.get("/health/db", forwarded="for=127.0.0.1").json() == {"status": "ok"}


def test_what_is_down_is_no_secret_but_why_is(home):
    redis = home.processes()["redis"]["pid"]
    outside = {"forwarded": "for=198.51.100.9"}
    os.kill(redis, signal.SIGSTOP)
    try:
        home.wait_for(lambda: home.get("/health/cache", **outside).status == 503)
        cache, whole = home.get("/health/cache", **outside), home.get("/health", **outside)
        assert (cache.json(), whole.status, whole.json()) == ({"status": "down"}, 200, {"status": "degraded"})
        assert set(home.get("/health/cache").json()) == {"status", "reason"}
    finally:
        os.kill(redis, signal.SIGCONT)
    home.wait_for(lambda: home.get("/health", **outside).json() == {"status": "ok"})


def find(collector, **wanted):
    return [span for span in collector.spans() if all(span[name] == value for name, value in wanted.items())]


def test_a_chat_call_goes_on_with_the_callers_trace(home, collector):
    body = json.dumps({"model": "echo/fast", "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"Authorization": "Bearer bk_test_bootstrap_0123456789abcdef"}
    answer = home.request("POST", "/v1/chat/completions", body, {**headers, "traceparent": f"00-{TRACE}-{PARENT}-01"})
    home.wait_for(lambda: find(collector, trace=TRACE))

    span = find(collector, trace=TRACE)[0]
    assert (span["name"], span["parent"], span["kind"]) == ("POST /v1/chat/completions", PARENT, 2)
    assert span["attributes"]["brokle.request_id"] == answer.headers["x-request-id"]
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["resource"]["service.name"] == "brokle"
    assert {post.headers["x-team"] for post in collector.posts} == {"noor"}
    assert {post.path for post in collector.posts} == {"/v1/traces"}


def sign_in(home):
    """The console's own form, as a browser sends it."""
    page = home.get("/auth/login")
    cookie = page.headers["set-cookie"].split(";", 1)[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.body.decode()).group(1)
    form = urlencode({"email": ADMIN[0], "password": ADMIN[1], "csrfmiddlewaretoken": token}).encode()
    headers = {"cookie": cookie, "content-type": "application/x-www-form-urlencoded", "origin": home.url}
    answer = home.request("POST", "/auth/login", form, headers)
    assert answer.status == 302
    return re.search(r"brokle_session=[^;]+", answer.headers["set-cookie"]).group()


def test_a_page_shows_its_statements_and_what_it_asked_clickhouse(home, collector):
    session = sign_in(home)
    trace = "a" * 32
    answer = home.get("/default/", cookie=session, traceparent=f"00-{trace}-{PARENT}-01")
    assert answer.status == 200
    home.wait_for(lambda: any(span["parent"] == PARENT for span in find(collector, trace=trace)))

    spans = find(collector, trace=trace)
    page = next(span for span in spans if span["parent"] == PARENT)
    systems = {span["attributes"].get("db.system.name") for span in spans if span["parent"] == page["id"]}
    statements = [s["attributes"]["db.query.text"] for s in spans if s["attributes"].get("db.query.text")]
    assert page["name"] == "GET /<slug:organization>/"
    assert systems >= {"postgresql", "clickhouse", "redis"}
    assert all(ADMIN[0] not in text for text in statements)
    assert any("%s" in text for text in statements)
    assert any("{organization_id:String}" in text for text in statements)


_SENDER = """
from brokle.celery import app
from brokle.edge.watch import Watch
from brokle.kernel.tracing import SERVER, tracer
from brokle.settings.env import env
watch = Watch(env, "sender")
watch.start()
with tracer.begin("sends a task", SERVER):
    app.send_task("ground.forget_expired")
watch.stop()
"""


def test_a_tasks_span_is_the_child_of_its_senders(home, collector):
    urls = home.run_file()["urls"]
    environment = {**home.environment, **urls, "BROKLE_DATA_DIR": str(home.data_dir), "BROKLE_SECRET_KEY": "s"}
    subprocess.run([sys.executable, "-c", _SENDER], env=environment, check=True, cwd=home.data_dir.parent)
    home.wait_for(lambda: find(collector, name="sends a task"))
    sender = find(collector, name="sends a task")[0]
    home.wait_for(lambda: find(collector, parent=sender["id"]))

    task = find(collector, parent=sender["id"])[0]
    home.wait_for(lambda: find(collector, parent=task["id"]))
    assert (task["name"], task["role"], task["trace"]) == ("task ground.forget_expired", "worker", sender["trace"])
    assert {span["name"] for span in find(collector, parent=task["id"])} == {"DELETE postgresql"}


def test_what_was_recorded_reaches_each_sink_in_a_span(home, collector):
    assert home.chat().status == 200
    home.wait_for(lambda: find(collector, name="ship usage"))
    home.wait_for(lambda: find(collector, name="ship", trace=find(collector, name="ship usage")[-1]["trace"]))

    last = find(collector, name="ship usage")[-1]["trace"]
    [root] = find(collector, name="ship", trace=last)
    inserts = find(collector, trace=last, parent=root["id"])
    assert {(span["name"], span["kind"], span["role"]) for span in inserts} == {
        ("ship clickhouse", 3, "shipper"),
        ("ship usage", 3, "shipper"),
    }
    assert {span["attributes"]["brokle.segment"].endswith(".seg") for span in inserts} == {True}
    assert min(span["attributes"]["brokle.rows"] for span in inserts) >= 1


@pytest.fixture
def visitor(home):
    made = Visitor(home)
    made.sign_in(*ADMIN)
    return made


async def test_a_socket_is_a_trace_of_its_handshake_and_its_subscriptions(home, collector, visitor):
    trace, room = "b" * 32, room_of(home)

    async with visitor.socket(headers={"traceparent": f"00-{trace}-{PARENT}-01"}) as socket:
        for wanted in (room, "requests:env_of_somebody_else"):
            await say(socket, "subscribe", room=wanted)
            await hear(socket)
        await asyncio.to_thread(home.wait_for, lambda: len(find(collector, trace=trace, name="subscribe /ws")) == 2)
        before = len(find(collector, trace=trace))
        for number in range(20):
            await asyncio.to_thread(publish, home, room, n=number)
            assert (await hear(socket))["data"] == {"n": number}
        # A span that the same process makes later shows that all before it have arrived.
        await say(socket, "subscribe", room=room)
        await hear(socket)
        await asyncio.to_thread(home.wait_for, lambda: len(find(collector, trace=trace, name="subscribe /ws")) == 3)

    [handshake] = find(collector, trace=trace, name="GET /ws")
    *subscriptions, last = find(collector, trace=trace, name="subscribe /ws")
    assert len(find(collector, trace=trace)) - len([last, *find(collector, parent=last["id"])]) == before
    assert (handshake["parent"], handshake["kind"], handshake["is_error"]) == (PARENT, 2, False)
    assert handshake["attributes"] == {"http.request.method": "GET", "http.route": "/ws"}
    assert "postgresql" in {s["attributes"].get("db.system.name") for s in find(collector, parent=handshake["id"])}
    assert {(span["parent"], span["kind"]) for span in subscriptions} == {(handshake["id"], 2)}
    assert [span["attributes"] for span in subscriptions] == [
        {"brokle.subscribed": True, "brokle.room": room},
        {"brokle.subscribed": False},
    ]
    assert "SUBSCRIBE redis" in {span["name"] for span in find(collector, parent=subscriptions[0]["id"])}


async def test_a_refused_socket_says_so_in_its_span(home, collector):
    trace = "d" * 32
    async with Visitor(home).socket(headers={"traceparent": f"00-{trace}-{PARENT}-01"}) as socket:
        await socket.wait_closed()
    await asyncio.to_thread(home.wait_for, lambda: find(collector, trace=trace, name="GET /ws"))

    [handshake] = find(collector, trace=trace, name="GET /ws")
    assert (socket.close_code, handshake["attributes"]["brokle.close_code"]) == (4401, 4401)
