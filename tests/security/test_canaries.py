"""Secrets and prompts go everywhere a user can put them; then all that Brokle writes about itself is searched."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.fakes.collectors import receiver
from tests.house import BOOTSTRAP_KEY, house

pytestmark = [pytest.mark.engines]

CANARY = "canary7f3a9"
PROVIDER_KEY = f"sk-proj-{CANARY}abcdefgh0123456789"
FORGED = f"{CANARY}\r\n" + json.dumps({"level": "info", "message": "forged"}) + "\x1b[2J\u2028"


@pytest.fixture(scope="module")
def sentry():
    with receiver() as started:
        yield started


@pytest.fixture(scope="module")
def spans():
    with receiver() as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory, sentry, spans):
    settings = {
        "SENTRY_DSN": sentry.dsn,
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "BROKLE_ACCESS_LOG": "1",
        "BROKLE_LOG_LEVEL": "debug",
        "OPENAI_API_KEY": PROVIDER_KEY,
    }
    with house(tmp_path_factory.mktemp("canaries") / "data", **settings) as started:
        _poke(started)
        yield started


def _poke(home):
    headers = {"x-canary": CANARY, "user-agent": CANARY, "x-brokle-user": CANARY, "x-brokle-tags": f"k={CANARY}"}
    bearer = {**headers, "Authorization": f"Bearer {BOOTSTRAP_KEY}"}
    chat = {"model": "echo/fast", "messages": [{"role": "user", "content": FORGED}], "user": FORGED}
    path = "/v1/chat/completions"
    assert home.request("POST", path, json.dumps(chat).encode(), bearer).status == 200
    assert home.request("POST", path, json.dumps({**chat, "stream": True}).encode(), bearer).status == 200
    assert home.request("POST", path, json.dumps({**chat, "model": FORGED}).encode(), bearer).status == 404
    assert home.request("POST", path, b'{"model": "' + CANARY.encode(), bearer).status == 400
    own = {**bearer, "x-brokle-provider-key": f"openai=sk-{CANARY}abcdefgh0123456789"}
    assert home.request("POST", path, json.dumps(chat).encode(), own).status == 403
    wrong = {**headers, "Authorization": f"Bearer bk_live_{CANARY}abcdefghijklmnop"}
    assert home.request("POST", path, json.dumps(chat).encode(), wrong).status == 401
    assert home.get(f"/v1/models/{CANARY}", **bearer).status == 404
    assert home.get(f"/auth/login?next={CANARY}", **headers).status == 200
    form = {**headers, "content-type": "application/x-www-form-urlencoded"}
    assert home.request("POST", "/auth/login", f"email={CANARY}&password={CANARY}".encode(), form).status == 403
    _fail_a_page(home)
    _send_bad_tasks(home)


def _fail_a_page(home):
    """PostgreSQL dies under a page whose cookie and query carry the canary."""
    pid = home.processes()["postgres"]["pid"]
    os.kill(pid, signal.SIGKILL)
    cookie = f"brokle_session={CANARY}0123456789abcdefghijkl"
    home.failed = None

    def page_fails():
        answer = home.get(f"/dashboard?q={CANARY}", cookie=cookie)
        home.failed = answer if answer.status == 500 else home.failed
        return home.failed is not None

    home.wait_for(page_fails)
    home.wait_for(lambda: home.get("/health").json()["status"] == "ok")


_SENDER = """
import sys
from brokle.celery import app
app.send_task("no.such.task", args=[sys.argv[1]], kwargs={"prompt": sys.argv[1]})
app.send_task("ground.forget_expired", args=[sys.argv[1]])
"""


def _send_bad_tasks(home):
    environment = {**home.environment, **home.run_file()["urls"]}
    subprocess.run([sys.executable, "-c", _SENDER, CANARY], env=environment, check=True)
    home.wait_for(lambda: "task ground.forget_expired raised unexpected" in home.log.read_text())
    home.wait_for(lambda: "Received unregistered task" in home.log.read_text())


def test_every_line_of_the_log_is_json_and_none_was_forged(home):
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]

    assert {line["level"] for line in lines} >= {"info", "error"}
    assert "forged" not in {line["message"] for line in lines}
    assert {"brokle.edge", "brokle.web", "celery.app.trace", "django.request"} <= {line["logger"] for line in lines}


def test_the_log_file_holds_the_same_lines(home):
    told = set(home.log.read_text().splitlines())

    home.wait_for(lambda: told <= set((home.data_dir / "logs" / "brokle.log").read_text().splitlines()))


def test_no_log_file_holds_a_canary(home):
    logs = [home.log, *(home.data_dir / "logs").iterdir()]

    assert "brokle.log" in {path.name for path in logs}
    assert [path.name for path in logs if CANARY in path.read_text(errors="replace")] == []


def test_no_metric_and_no_span_holds_a_canary(home, spans):
    home.wait_for(lambda: any(span["name"] == "GET /auth/login" for span in spans.spans()))

    assert CANARY not in home.get("/metrics").body.decode()
    assert CANARY.encode() not in spans.everything()


def test_no_queue_of_celery_holds_a_canary(home):
    import redis

    broker = redis.Redis.from_url(home.run_file()["urls"]["REDIS_URL"].replace("db=0", "db=1"))
    kept = [broker.dump(key) for key in broker.scan_iter()]

    assert all(CANARY.encode() not in content for content in kept if content)


def test_sentry_hears_what_failed_with_its_request_and_nothing_a_user_sent(home, sentry):
    request_id = home.failed.headers["x-request-id"]
    home.wait_for(lambda: any(event["tags"].get("request_id") == request_id for event in sentry.events()))
    event = next(event for event in sentry.events() if event["tags"].get("request_id") == request_id)

    assert event["exception"]["values"][-1]["type"] == "OperationalError"
    assert event["tags"]["role"] == "web"
    assert {event["tags"]["role"] for event in sentry.events()} >= {"web", "worker"}
    assert CANARY.encode() not in sentry.everything()
    assert all("request" not in event and "extra" not in event and "user" not in event for event in sentry.events())
    failures = [value for event in sentry.events() for value in event.get("exception", {}).get("values", [])]
    frames = [frame for failure in failures for frame in failure["stacktrace"]["frames"]]
    assert frames
    assert all("vars" not in frame for frame in frames)


_EDGE = """
import asyncio, sys
from brokle.edge.dispatch import Dispatch, Endpoint
from brokle.edge.key_use import KeyUse
from brokle.edge.watch import Watch
from brokle.settings.env import env

class Keys: pass

async def handle(request):
    prompt = (await request.body()).decode()
    raise ValueError("cannot read " + prompt)

async def main():
    dispatch = Dispatch(Keys(), None, KeyUse(None), [Endpoint("/x", handle, "")])
    sent = []
    async def receive(): return {"type": "http.request", "body": sys.argv[1].encode()}
    async def send(message): sent.append(message)
    headers = [(b"x-secret", sys.argv[1].encode())]
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, "query_string": b""}
    await dispatch.serve(dispatch.find("/x"), scope, receive, send)
    assert sent[0]["status"] == 500
    print(dict(sent[0]["headers"])[b"x-request-id"].decode(), sys.argv[1].encode() in sent[1]["body"])

watch = Watch(env, "edge")
watch.start()
asyncio.run(main())
watch.stop()
assert "django" not in sys.modules
"""


def test_a_failing_edge_endpoint_is_reported_without_its_prompt(tmp_path):
    with receiver() as sentry:
        environment = {
            **os.environ,
            "SENTRY_DSN": sentry.dsn,
            "BROKLE_DATA_DIR": str(tmp_path),
            "BROKLE_LOG_FORMAT": "json",
        }
        done = subprocess.run(
            [sys.executable, "-c", _EDGE, CANARY], env=environment, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stderr
    request_id, told = done.stdout.split()
    line = json.loads(done.stderr)
    event = sentry.events()[0]
    assert (line["request_id"], line["error"], told) == (request_id, "ValueError", "False")
    assert (event["tags"]["request_id"], event["exception"]["values"][0]["type"]) == (request_id, "ValueError")
    assert CANARY not in done.stderr
    assert CANARY.encode() not in sentry.everything()
