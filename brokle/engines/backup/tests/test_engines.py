import subprocess
import sys
import uuid

import psycopg
import pytest
import redis

import brokle
from brokle.engines.backup import clickhouse, copying, redis_keys
from brokle.engines.backup.archive import Manifest, UnableToReadBackup, reading, writing
from brokle.engines.backup.postgres import without_password
from brokle.engines.clickhouse_url import connect, parse
from brokle.engines.layout import Layout
from brokle.settings.env import env

pytestmark = pytest.mark.engines


@pytest.fixture
def analytics():
    """The address of a ClickHouse database of the test's own."""
    where = parse(env.text("CLICKHOUSE_URL"))
    name = f"backup_{uuid.uuid4().hex[:12]}"
    client = connect(env.text("CLICKHOUSE_URL"))
    client.command(f"CREATE DATABASE {name}")
    yield f"{where.scheme}://{where.user}:{where.password}@{where.host}:{where.port}/{name}"
    client.command(f"DROP DATABASE {name} SYNC")


def restored(url, tmp_path):
    """Backs up ClickHouse and brings it back into the same database."""
    place = copying.Place(Layout.at(tmp_path), {"CLICKHOUSE_URL": url})
    with writing(tmp_path / "backup.tar", Manifest("0.1.0", "")) as writer:
        copying.add_clickhouse(place, writer, lambda _: None)
    with reading(tmp_path / "backup.tar") as reader:
        copying.restore_clickhouse(place, reader, lambda _: None)
    return connect(url)


def test_a_view_that_copies_rows_does_not_copy_them_again(analytics, tmp_path):
    client = connect(analytics)
    for statement in (
        "CREATE TABLE said (a UInt32) ENGINE = MergeTree ORDER BY a",
        "CREATE TABLE counted (a UInt32) ENGINE = MergeTree ORDER BY a",
        "CREATE MATERIALIZED VIEW counting TO counted AS SELECT a FROM said",
        "INSERT INTO said SELECT number FROM numbers(10)",
    ):
        client.command(statement)

    again = restored(analytics, tmp_path)

    assert again.query("SELECT count() FROM counted").result_rows == [(10,)]
    again.command("INSERT INTO said SELECT 10")
    assert again.query("SELECT count() FROM counted").result_rows == [(11,)]


def test_only_the_database_itself_is_left_out_of_a_definition(analytics, tmp_path):
    name = parse(analytics).database
    comment = f"rows of {name}.example, not of `{name}`.x"
    client = connect(analytics)
    client.command(f"CREATE TABLE t (a String DEFAULT '{name}.b') ENGINE = MergeTree ORDER BY a COMMENT '{comment}'")
    client.command("INSERT INTO t VALUES ('x')")
    [(_, table)] = clickhouse.list_tables(analytics)
    assert table["create"].startswith("CREATE TABLE t ")

    again = restored(analytics, tmp_path)

    found = again.query("SELECT create_table_query, comment FROM system.tables WHERE database = currentDatabase()")
    [(definition, kept)] = found.result_rows
    assert f"DEFAULT '{name}.b'" in definition
    assert kept == comment


class ExpiringBehind(redis.Redis):
    """The key's time comes right after its value was read."""

    def get(self, name):
        found = super().get(name)
        self.pexpire(name, 0)
        return found


def test_a_counter_whose_time_comes_meanwhile_does_not_live_forever():
    client = ExpiringBehind.from_url(env.text("REDIS_URL"))
    client.set("test:backup", "7", px=60_000)
    try:
        entries = [entry for entry in redis_keys.entries(client) if entry[0] == b"test:backup"]
    finally:
        client.delete("test:backup")

    assert [left_ms > 0 for _, _, left_ms, _ in entries] in ([], [True])


def test_a_backup_that_lacks_something_is_refused_before_anything_is_changed(tmp_path):
    manifest = Manifest(brokle.__version__, "")
    manifest.tables["rows"] = {"engine": "MergeTree", "create": "", "columns": [], "is_view": False}
    manifest.members["postgres.dump"] = {}
    with pytest.raises(UnableToReadBackup, match=r"lacks clickhouse/rows\.tsv\.gz"):
        copying.refuse_unfit(manifest)
    manifest.members["clickhouse/rows.tsv.gz"] = {}
    copying.refuse_unfit(manifest)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://noor:s%2Fcret@db.example:5433/house?sslmode=require",
        "postgresql://noor@db.example:5433/house?sslmode=require&password=s%2Fcret",
        "postgresql://db.example:5433/house?user=noor&password=s%2Fcret&sslmode=require",
    ],
)
def test_a_password_is_never_an_argument(url):
    address, password = without_password(url)

    assert password == "s/cret"
    assert "cret" not in address
    assert psycopg.conninfo.conninfo_to_dict(address) == {
        "user": "noor",
        "host": "db.example",
        "port": "5433",
        "dbname": "house",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    "away",
    [
        {"DATABASE_URL": "postgresql://noor:s3cret@127.0.0.1:1/x"},
        {"REDIS_URL": "redis://:s3cret@127.0.0.1:1/0"},
        {"CLICKHOUSE_URL": "http://noor:s3cret@127.0.0.1:1/x"},
    ],
    ids=lambda away: next(iter(away)),
)
def test_an_engine_that_is_away_is_told_in_one_line(tmp_path, away):
    done = subprocess.run(
        [sys.executable, "-m", "brokle", "backup", str(tmp_path / "backup.tar")],
        env=env.for_child(**away, BROKLE_DATA_DIR=str(tmp_path / "data")),
        cwd=brokle.HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("brokle: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "s3cret" not in done.stderr
    assert not (tmp_path / "backup.tar").exists()
