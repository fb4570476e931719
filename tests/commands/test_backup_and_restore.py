import json
import shutil

import psycopg
import pytest
import redis

from brokle.engines.backup import clickhouse
from brokle.engines.clickhouse_url import connect
from brokle.engines.fleet import engines_for
from brokle.engines.layout import Layout
from brokle.settings.env import Environment
from tests.house import ADMIN, House

pytestmark = [pytest.mark.engines]
REQUESTS = 12


def table_contents(urls):
    with psycopg.connect(urls["DATABASE_URL"]) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            name: sorted(map(repr, database.execute(f'TABLE "{name}"').fetchall()))
            for (name,) in names
            if name not in {"schedule", "snapshot_version"}  # the worker writes them all the time
        }


def analytics_contents(urls):
    client = connect(urls["CLICKHOUSE_URL"])
    return {
        name: sorted(map(repr, client.query(f"SELECT * FROM {name} FINAL").result_rows))  # noqa: S608
        for name, table in clickhouse.list_tables(urls["CLICKHOUSE_URL"])
        if not table["is_view"]
    }


def contents(home):
    layout = Layout.at(home.data_dir)
    with engines_for(layout, Environment({})) as urls:
        state = redis.Redis.from_url(urls["REDIS_URL"])
        return {
            "postgres": table_contents(urls),
            "clickhouse": analytics_contents(urls),
            "redis": {key: state.get(key) for key in state.keys("test:*")},
            "uploads": (layout.uploads / "a folder" / "file.bin").read_bytes(),
        }


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A house with people, keys, requests and files, stopped; its backup, with and without the secret."""
    folder = tmp_path_factory.mktemp("backup")
    email, password = ADMIN
    home = House(folder / "data with spaces", BROKLE_ADMIN_EMAIL=email, BROKLE_ADMIN_PASSWORD=password)
    home.start()
    try:
        for number in range(REQUESTS):
            assert home.chat(f"request {number}\twith a tab, مرحبا and a \\ backslash").status == 200
        urls = home.run_file()["urls"]
        analytics = connect(urls["CLICKHOUSE_URL"])
        home.wait_for(lambda: analytics.command("SELECT count() FROM request_logs") == REQUESTS)
        state = redis.Redis.from_url(urls["REDIS_URL"])
        state.set("test:counter", 7)
        uploads = Layout.at(home.data_dir).uploads / "a folder"
        uploads.mkdir()
        (uploads / "file.bin").write_bytes(bytes(range(256)))
        running = home.run("backup", str(folder / "running.tar"), "--json")
        assert running.returncode == 0, running.stderr
        assert json.loads(running.stdout)["rows"]["request_logs"] == REQUESTS
    finally:
        home.stop()
    (folder / "phrase").write_text("correct horse battery")
    done = home.run("backup", str(folder / "whole.tar"), "--passphrase-file", str(folder / "phrase"))
    assert done.returncode == 0, done.stderr
    return home, folder


def fresh(lived_in, name, **environment):
    _, folder = lived_in
    again = House(folder / name, **environment)
    shutil.rmtree(again.data_dir, ignore_errors=True)
    return again


def test_wiped_and_restored_everything_is_as_it_was(lived_in):
    home, folder = lived_in
    before = contents(home)
    shutil.rmtree(home.data_dir)
    done = home.run("restore", str(folder / "whole.tar"), "--passphrase-file", str(folder / "phrase"))

    assert done.returncode == 0, done.stderr
    assert contents(home) == before
    assert len(before["clickhouse"]["request_logs"]) == REQUESTS
    assert len(before["postgres"]["usage_record"]) == REQUESTS
    assert before["redis"] == {b"test:counter": b"7"}
    home.start()
    try:
        assert home.chat("after the restore").status == 200
    finally:
        home.stop()


def test_a_backup_of_the_running_house_is_whole_too(lived_in):
    home, folder = lived_in
    other = fresh(lived_in, "elsewhere", BROKLE_SECRET_KEY=(home.data_dir / "secrets" / "secret_key").read_text())
    assert other.run("restore", str(folder / "running.tar")).returncode == 0
    other.start()
    try:
        assert other.chat().status == 200
        analytics = connect(other.run_file()["urls"]["CLICKHOUSE_URL"])
        other.wait_for(lambda: analytics.command("SELECT count() FROM request_logs FINAL") == REQUESTS + 1)
    finally:
        other.stop()


def test_into_engines_given_by_address(lived_in, tmp_path):
    """Server mode: the engines of one data dir, the files of another."""
    _, folder = lived_in
    engines, files = Layout.at(tmp_path / "engines"), House(tmp_path / "files")
    with engines_for(engines, Environment({})) as urls:
        done = files.run("restore", str(folder / "whole.tar"), "--json", **urls)
        assert done.returncode == 0, done.stderr
        assert len(table_contents(urls)["usage_record"]) == REQUESTS
        assert len(analytics_contents(urls)["request_logs"]) == REQUESTS
        back = files.run("backup", str(tmp_path / "from-servers.tar"), "--json", **urls)

    assert back.returncode == 0, back.stderr
    assert (files.data_dir / "uploads" / "a folder" / "file.bin").read_bytes() == bytes(range(256))
    other = House(tmp_path / "home again")
    assert other.run("restore", str(tmp_path / "from-servers.tar")).returncode == 0
    with engines_for(Layout.at(other.data_dir), Environment({})) as urls:
        assert len(analytics_contents(urls)["request_logs"]) == REQUESTS


@pytest.mark.parametrize("damage", ["truncated", "tampered", "passphrase", "not empty"])
def test_a_restore_that_cannot_be_changes_nothing(lived_in, damage):
    home, folder = lived_in
    before = contents(home)
    content = (folder / "whole.tar").read_bytes()
    bad = folder / "bad.tar"
    arguments = ["--yes"]
    if damage == "truncated":
        content = content[: len(content) * 2 // 3]
    elif damage == "tampered":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    elif damage == "passphrase":
        (folder / "wrong").write_text("a wrong passphrase")
        arguments += ["--passphrase-file", str(folder / "wrong")]
    else:
        arguments = []
    bad.write_bytes(content)
    done = home.run("restore", str(bad), *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("brokle: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert contents(home) == before


def test_with_yes_what_is_there_is_replaced(lived_in):
    home, folder = lived_in
    before = contents(home)
    with (
        engines_for(Layout.at(home.data_dir), Environment({})) as urls,
        psycopg.connect(urls["DATABASE_URL"], autocommit=True) as database,
    ):
        database.execute("DELETE FROM usage_record")
        database.execute("CREATE TABLE left_over (id int)")
        connect(urls["CLICKHOUSE_URL"]).command("TRUNCATE TABLE request_logs")
    done = home.run("restore", str(folder / "whole.tar"), "--yes")

    assert done.returncode == 0, done.stderr
    after = contents(home)
    assert "left_over" not in after["postgres"]
    assert len(after["postgres"]["usage_record"]) == REQUESTS
    assert len(after["clickhouse"]["request_logs"]) == REQUESTS
    assert set(before["postgres"]) == set(after["postgres"])


def test_while_brokle_runs_nothing_is_restored(lived_in):
    home, folder = lived_in
    home.start()
    try:
        done = home.run("restore", str(folder / "whole.tar"), "--yes")
        assert (done.returncode, "stop it" in done.stderr) == (1, True)
        assert home.chat().status == 200
    finally:
        home.stop()
