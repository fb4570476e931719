"""The engine's process: one owner, durable, drained, small."""

import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import Error

from brokle.engines import clickhouse_url
from brokle.engines.process import wait_until
from brokle.engines.tests.clickhouse_process import EmbeddedClickHouse, curl

pytestmark = pytest.mark.engines


@pytest.fixture
def server(tmp_path):
    embedded = EmbeddedClickHouse(tmp_path)
    yield embedded
    if embedded.process is not None and embedded.process.poll() is None:
        embedded.process.kill()
        embedded.process.communicate()


def test_it_answers_when_it_says_where_and_tells_only_its_owner(server):
    server.start()
    assert clickhouse_url.connect(server.url).query("SELECT 1").result_rows == [(1,)]
    assert (server.home / "port").stat().st_mode & 0o777 == 0o600
    assert (server.home / "password").stat().st_mode & 0o777 == 0o600


def test_a_second_process_on_the_same_folder_says_so_and_exits(server, tmp_path):
    server.start()
    second = subprocess.run(
        [*server.command()[:5], "--port-file", str(tmp_path / "other"), "--password-file", str(tmp_path / "password")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "another process already serves" in second.stderr
    assert clickhouse_url.connect(server.url).ping()


def test_tables_of_every_database_are_there_after_a_restart(server):
    for expected in (1, 2, 3):
        server.start()
        client = clickhouse_url.connect(server.url, database="default")
        assert [row[0] for row in client.query("SHOW DATABASES").result_rows] == [
            "INFORMATION_SCHEMA", "brokle", "default", "information_schema", "system",
        ]  # fmt: skip
        for table in ("kept", "brokle.kept"):
            client.command(f"CREATE TABLE IF NOT EXISTS {table} (a Int8) ENGINE = MergeTree ORDER BY tuple()")
            client.command(f"INSERT INTO {table} SELECT 1")
            assert client.query(f"SELECT count() FROM {table}").result_rows == [(expected,)]  # noqa: S608
        with pytest.raises(Error) as caught:
            client.query("SELECT * FROM nothing_here")
        assert caught.value.code == 60
        client.close()
        assert server.stop() == (0, "")


def test_acknowledged_inserts_survive_kill_9(server):
    server.start()
    client = clickhouse_url.connect(server.url)
    client.command("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
    acknowledged = []
    killer = threading.Timer(0.5, server.process.kill)
    with pytest.raises(Error):  # noqa: PT012 - which insert meets the kill is not known
        for number in range(1_000_000):
            client.insert("kept", [[number]], column_names=["a"])
            acknowledged.append(number)
            if number == 0:
                killer.start()
    killer.join()
    server.finish()
    assert acknowledged
    server.start()
    client = clickhouse_url.connect(server.url)
    stored = [row[0] for row in client.query("SELECT a FROM kept ORDER BY a").result_rows]
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) - len(acknowledged) in (0, 1)


def test_inserts_are_synced_to_the_disk(server):
    server.start()
    client = clickhouse_url.connect(server.url)
    query = "SELECT name, value FROM system.merge_tree_settings WHERE name LIKE 'fsync_%' AND value = '1' ORDER BY name"
    assert client.query(query).result_rows == [("fsync_after_insert", "1"), ("fsync_part_directory", "1")]


def test_sigterm_lets_a_running_query_finish(server):
    server.start()
    answers = []
    slow = threading.Thread(
        target=lambda: answers.append(curl(f"{_login(server)}&query=SELECT+sleep(3),'done'")),
    )
    slow.start()
    assert wait_until(lambda: _running(server) == 1, 60)
    assert server.stop() == (0, "")
    slow.join()
    assert answers[0][::2] == (200, b"0\tdone\n")
    assert not (server.home / "port").exists()


def test_a_query_that_does_not_end_is_cancelled_at_the_end(server):
    server.start()
    answers = []
    slow = threading.Thread(
        target=lambda: answers.append(curl(_login(server), data=b"SELECT count() FROM numbers(1000000000000)")),
    )
    slow.start()
    assert wait_until(lambda: _running(server) == 1, 60)
    server.process.send_signal(signal.SIGINT)
    code, _ = server.finish()
    slow.join()
    assert code == 0
    assert answers[0][1]["x-clickhouse-exception-code"] == "394"


def test_it_ends_with_the_stdin_it_was_given(server):
    server.start("--exit-with-stdin", stdin=subprocess.PIPE)
    server.process.stdin.close()
    server.process.stdin = None
    assert server.finish() == (0, "")


def test_a_client_that_hangs_up_takes_its_query_along(server):
    server.start()
    command = ["curl", "-sS", "--data", "SELECT count() FROM numbers(1000000000000)", _login(server)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        assert wait_until(lambda: _running(server) == 1, 60)
        client.kill()
    assert wait_until(lambda: _running(server) == 0, 120)


def test_a_body_over_the_cap_is_refused(server, tmp_path):
    server.start()
    client = clickhouse_url.connect(server.url)
    client.command("CREATE TABLE t (a String) ENGINE = Null")
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(257 * 1024 * 1024)
    address = f"{_login(server)}&query=INSERT+INTO+t+FORMAT+LineAsString"
    with big.open("rb") as file:
        done = subprocess.run(
            ["curl", "-sS", "-o", str(tmp_path / "answer"), "-w", "%{http_code}", "-X", "POST", "-T", "-", address],
            stdin=file,
            capture_output=True,
            check=False,
        )
    assert done.stdout == b"413"
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_the_port_may_be_chosen(server):
    port = _free_port()
    server.start("--port", str(port))
    assert server.port == port


def test_idle_memory_is_small_and_comes_back_after_a_large_query(server):
    server.start()
    client = clickhouse_url.connect(server.url)
    client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    client.command("INSERT INTO t SELECT number, toString(number) FROM numbers(2000000)")
    client.query("SELECT b, count() FROM t GROUP BY b ORDER BY b LIMIT 10")
    assert wait_until(lambda: _pss_mb(server.process.pid) < 400, 60), _pss_mb(server.process.pid)


def _login(server):
    where = clickhouse_url.parse(server.url)
    return f"http://{where.user}:{where.password}@{where.host}:{where.port}/?database=brokle"


def _running(server):
    client = clickhouse_url.connect(server.url)
    try:
        return client.query("SELECT count() - 1 FROM system.processes").result_rows[0][0]
    finally:
        client.close()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _pss_mb(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
