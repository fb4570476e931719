import contextlib
import os
import signal
import socket

import psutil
import pytest

from brokle.engines.process import still_runs
from tests.house import BOOTSTRAP_KEY, House, house

pytestmark = [pytest.mark.engines]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One house for the tests that leave it standing; its path has a space."""
    with house(tmp_path_factory.mktemp("a b") / "data dir") as started:
        yield started


def test_health_reports_every_engine_and_process(home):
    body = home.get("/health").json()

    assert body["status"] == "ok"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "redis": "ok",
        "spool": "ok",
        "postgres": "ok",
        "clickhouse": "ok",
    }
    # An executor comes later, and only where a container engine answers.
    assert {p["name"]: p["state"] for p in body["processes"] if p["name"] != "executor"} == dict.fromkeys(
        ["postgres", "redis", "clickhouse", "web", "shipper", "worker"], "running"
    )
    assert [home.get(f"/health/{part}").status for part in ("live", "ready", "db", "cache", "analytics")] == [200] * 5


def test_secrets_and_sockets_are_private(home):
    assert {p.stat().st_mode & 0o777 for p in (home.data_dir / "secrets").iterdir()} == {0o600}
    assert (home.data_dir / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_second_start_on_the_same_data_dir_says_where_the_first_is(home):
    done = home.run("serve", "--data-dir", str(home.data_dir), "--port", "0")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"already runs on {home.data_dir} at http://localhost:{home.port}" in done.stderr


def test_a_taken_port_gets_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = House(tmp_path / "data").run("serve", "--data-dir", str(tmp_path / "data"), "--port", str(port))

    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"brokle: cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --port"
    )


@pytest.mark.parametrize("name", ["worker", "shipper", "redis", "postgres", "clickhouse"])
def test_a_killed_child_is_back_and_reported(home, name):
    before = home.processes()[name]
    os.kill(before["pid"], signal.SIGKILL)

    home.wait_for(lambda: home.processes()[name]["restarts"] == before["restarts"] + 1)
    home.wait_for(lambda: home.get("/health").json()["status"] == "ok")
    after = home.processes()[name]
    assert (after["state"], after["last_exit"]) == ("running", -signal.SIGKILL)
    assert home.chat().status == 200


def test_a_killed_web_worker_is_replaced_and_reported(home):
    before = home.processes()["web"]
    worker = psutil.Process(before["pid"]).children()[0]
    worker.kill()

    home.wait_for(lambda: home.processes()["web"]["restarts"] == before["restarts"] + 1)
    assert home.chat().status == 200


def test_sigterm_leaves_nothing_behind(tmp_path):
    with house(tmp_path / "data") as started:
        identities = started.run_file()["identities"]
        run_dir = os.path.dirname(started.run_file()["urls"]["REDIS_URL"].split("@")[1].split("?")[0])  # noqa: PTH120
        assert started.chat().status == 200
        code = started.stop()

    assert code == 0
    assert [i["name"] for i in identities if still_runs(i)] == []
    assert not (started.data_dir / "run.json").exists()
    assert not os.path.exists(run_dir)  # noqa: PTH110 - a string from a URL
    assert sorted(p.name for p in (started.data_dir / "spool").iterdir()) == ["shipper.lock", "status.json"]


def test_after_kill_minus_nine_the_next_start_recovers_by_itself(tmp_path):
    first = House(tmp_path / "data").start()
    assert first.chat("before").status == 200
    leftovers = first.run_file()["identities"]
    first.stop(signal.SIGKILL)

    with house(tmp_path / "data") as second:
        assert second.get("/health").json()["status"] == "ok"
        assert second.chat("after").status == 200
        assert [i["name"] for i in leftovers if still_runs(i)] == []


def test_a_running_stream_is_finished_before_the_house_goes(tmp_path):
    with house(tmp_path / "data") as started, contextlib.ExitStack() as cleanup:
        stream = cleanup.enter_context(socket.create_connection(("127.0.0.1", started.port)))
        body = b'{"model":"echo/slow","stream":true,"messages":[{"role":"user","content":"one two three four five"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOOTSTRAP_KEY}\r\n"
        stream.sendall(head.encode() + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        seen = stream.recv(4096)
        started.process.send_signal(signal.SIGTERM)
        while chunk := stream.recv(4096):
            seen += chunk
        code = started.process.wait(150)

    assert seen.count(b'"content":') == 6
    assert b"data: [DONE]" in seen
    assert code == 0


def test_a_stop_right_after_a_worker_was_replaced_is_prompt(tmp_path):
    with house(tmp_path / "data") as started:
        web = psutil.Process(started.processes()["web"]["pid"])
        killed = web.children()[0]
        killed.kill()
        started.wait_for(lambda: {child.pid for child in web.children()} - {killed.pid})
        code = started.stop(seconds=90)  # far less than the time that requests have to finish

    assert code == 0
