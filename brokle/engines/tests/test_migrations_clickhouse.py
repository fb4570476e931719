import json
from datetime import UTC, datetime, timedelta

import pytest

from brokle.engines.migrations.clickhouse import ClickHouseMigrator, read_folder
from brokle.engines.migrations.ledger import UnableToMigrate
from brokle.engines.migrations.sql import split
from brokle.engines.migrations.upgrade import clickhouse_folder

pytestmark = pytest.mark.engines


@pytest.fixture
def folder(tmp_path):
    _write(tmp_path, "0001_first", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory", "DROP TABLE IF EXISTS a")
    _write(
        tmp_path,
        "0002_second",
        "CREATE TABLE IF NOT EXISTS b (x String DEFAULT 'a;b') ENGINE = Memory; -- one; more\nINSERT INTO b SELECT ';'",
        "DROP TABLE IF EXISTS b",
    )
    return tmp_path


@pytest.fixture
def migrator(clickhouse_address, folder):
    return ClickHouseMigrator(clickhouse_address, folder)


def _write(folder, title, up, down):
    (folder / f"{title}.up.sql").write_text(up)
    (folder / f"{title}.down.sql").write_text(down)


def _states(migrator):
    return [(entry.version, entry.state) for entry in migrator.status()]


def _tables(client):
    return [row[0] for row in client.query("SHOW TABLES").result_rows]


def test_up_applies_in_order_and_down_undoes_from_the_end(migrator, clickhouse):
    assert _states(migrator) == [("0001_first", "pending"), ("0002_second", "pending")]
    assert [step.version for step in migrator.up(1)] == ["0001_first"]
    assert _states(migrator) == [("0001_first", "applied"), ("0002_second", "pending")]
    assert [step.version for step in migrator.up(None)] == ["0002_second"]
    assert clickhouse.query("SELECT x FROM b").result_rows == [(";",)]
    assert [step.version for step in migrator.down(1)] == ["0002_second"]
    assert _tables(clickhouse) == ["a", "schema_migrations"]
    assert [step.version for step in migrator.down(None)] == ["0001_first"]
    assert _tables(clickhouse) == ["schema_migrations"]
    assert [step.version for step in migrator.up(None)] == ["0001_first", "0002_second"]


def test_a_failed_statement_leaves_its_version_dirty_until_it_is_forced(migrator, folder, clickhouse):
    _write(
        folder,
        "0003_broken",
        "CREATE TABLE c (x Int8) ENGINE = Memory; CREATE TABLE d (x NoSuchType) ENGINE = Memory",
        "",
    )
    with pytest.raises(UnableToMigrate, match=r"0003_broken failed at statement 2 of 2 of up: .*NoSuchType") as caught:
        list(migrator.up(None))
    assert "\n" not in str(caught.value)
    dirty = migrator.status()[-1]
    assert (dirty.state, dirty.at is not None) == ("dirty", True)
    assert "NoSuchType" in dirty.error
    assert "brokle migrate force 0003_broken" in dirty.mend
    with pytest.raises(UnableToMigrate, match=r"0003_broken is dirty .*`brokle migrate force 0003_broken"):
        list(migrator.up(None))
    clickhouse.command("CREATE TABLE d (x Int8) ENGINE = Memory")
    assert migrator.force("0003", applied=None).state == "applied"
    assert list(migrator.up(None)) == []


def test_a_dirty_version_can_be_undone_and_run_again(migrator, folder):
    _write(folder, "0003_broken", "CREATE TABLE c (x Int8) ENGINE = Memory; SELEKT 1", "DROP TABLE IF EXISTS c")
    with pytest.raises(UnableToMigrate):
        list(migrator.up(None))
    assert [step.version for step in migrator.down(1)] == ["0003_broken"]
    _write(folder, "0003_broken", "CREATE TABLE c (x Int8) ENGINE = Memory", "DROP TABLE IF EXISTS c")
    assert [step.version for step in migrator.up(None)] == ["0003_broken"]
    assert _states(migrator)[-1] == ("0003_broken", "applied")


def test_an_interrupted_version_runs_again(migrator, clickhouse):
    list(migrator.up(1))
    clickhouse.command("INSERT INTO schema_migrations SELECT '0002', 'second', '', 'running', now64(6), ''")
    entry = migrator.status()[1]
    assert (entry.state, entry.note) == ("pending", "was interrupted; up runs it again")
    assert [step.version for step in migrator.up(None)] == ["0002_second"]


def test_a_file_changed_after_it_was_applied_is_reported(migrator, folder):
    list(migrator.up(None))
    assert [entry.note for entry in migrator.status()] == ["", ""]
    _write(folder, "0001_first", "CREATE TABLE IF NOT EXISTS a (x Int16) ENGINE = Memory", "DROP TABLE IF EXISTS a")
    assert [entry.note for entry in migrator.status()] == ["its file was changed after it was applied", ""]


def test_a_version_whose_files_are_gone_is_reported(migrator, folder):
    list(migrator.up(None))
    for path in folder.glob("0002*"):
        path.unlink()
    assert [(entry.version, entry.note) for entry in migrator.status()][-1] == (
        "0002_second",
        "its files are missing here",
    )


def test_a_plan_shows_its_statements_and_changes_nothing(migrator, clickhouse):
    plan = migrator.plan_up(None, with_sql=True)
    assert [len(step.statements) for step in plan] == [1, 2]
    assert _tables(clickhouse) == ["schema_migrations"]


def test_create_writes_the_next_pair(migrator, folder):
    assert [path.name for path in migrator.create("add_scores")] == [
        "0003_add_scores.up.sql",
        "0003_add_scores.down.sql",
    ]
    assert [migration.title for migration in read_folder(folder)][-1] == "0003_add_scores"
    with pytest.raises(UnableToMigrate, match="lower case"):
        migrator.create("Add-Scores")


def test_files_without_a_pair_or_with_a_taken_number_are_refused(folder):
    (folder / "0003_alone.up.sql").write_text("SELECT 1")
    with pytest.raises(UnableToMigrate, match="0003 must be one"):
        read_folder(folder)
    (folder / "0003_alone.up.sql").unlink()
    _write(folder, "0002_other", "SELECT 1", "SELECT 1")
    with pytest.raises(UnableToMigrate, match="0002 must be one"):
        read_folder(folder)


def test_statements_end_only_at_semicolons_of_their_own():
    text = "-- a; b\nSELECT ';', `x;y` /* ; */ ; ;\n# c;\nSELECT $t$;$t$ -- end;\n"
    assert split(text) == ["SELECT ';', `x;y`", "SELECT $t$;$t$"]


def test_the_product_migrations_go_up_and_down_and_up(clickhouse_address, clickhouse):
    migrator = ClickHouseMigrator(clickhouse_address, clickhouse_folder())
    titles = [migration.title for migration in read_folder(clickhouse_folder())]
    assert [step.version for step in migrator.up(None)] == titles
    assert {"events", "metrics", "request_logs"} <= set(_tables(clickhouse))
    assert [step.version for step in migrator.down(None)] == titles[::-1]
    assert _tables(clickhouse) == ["schema_migrations"]
    assert [step.version for step in migrator.up(None)] == titles


def test_a_request_sent_twice_is_one_row_and_old_ones_go(clickhouse_address, clickhouse):
    list(ClickHouseMigrator(clickhouse_address, clickhouse_folder()).up(None))
    now = datetime.now(UTC)
    rows = [
        {
            "request_id": f"req_{age}",
            "organization_id": "org_1",
            "project_id": "prj_1",
            "environment_id": "env_1",
            "key_id": "key_1",
            "at": (now - timedelta(days=age)).isoformat(),
            "endpoint": "/v1/chat/completions",
            "model": "echo/fast",
            "status": 200,
            "stream": True,
            "latency_ms": 1.5,
            "tags": {"tier": "gold"},
            "unknown": 1,
        }
        for age in (0, 59, 62)
    ]
    body = "\n".join(json.dumps(row) for row in rows).encode()
    settings = {"input_format_skip_unknown_fields": 1, "date_time_input_format": "best_effort"}
    for token in ("a", "a", "b"):
        settings["insert_deduplication_token"] = token
        clickhouse.raw_insert("request_logs", insert_block=body, settings=settings, fmt="JSONEachRow")
    clickhouse.command("OPTIMIZE TABLE request_logs FINAL")
    found = clickhouse.query("SELECT request_id, stream, tags FROM request_logs ORDER BY at DESC").result_rows
    assert found == [("req_0", True, {"tier": "gold"}), ("req_59", True, {"tier": "gold"})]


@pytest.mark.parametrize(("table", "days"), [("events", 180), ("metrics", 90), ("request_logs", 60)])
def test_each_table_forgets_on_time_and_knows_a_repeated_batch(clickhouse_address, clickhouse, table, days):
    list(ClickHouseMigrator(clickhouse_address, clickhouse_folder()).up(None))
    query = (
        "SELECT engine, create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {t:String}"
    )
    engine, created = clickhouse.query(query, parameters={"t": table}).result_rows[0]
    assert engine == "ReplacingMergeTree"
    assert f"toIntervalDay({days})" in created
    assert "non_replicated_deduplication_window" in created
    assert "ORDER BY (organization_id, environment_id, " in created
