"""What an unmodified clickhouse-connect must find; the same against the embedded engine and a server."""

import threading
from datetime import UTC, datetime

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from brokle.engines import clickhouse_url
from brokle.engines.process import wait_until

pytestmark = pytest.mark.engines

_EVENTS = """
CREATE TABLE events (
    id UInt64, name String, kind LowCardinality(String), at DateTime64(6, 'UTC'),
    labels Map(LowCardinality(String), String), note Nullable(String), scores Array(Float64)
) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100
"""
_AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
_COLUMNS = ["id", "name", "kind", "at", "labels", "note", "scores"]


def _row(number):
    return [number, f"name {number}", "click", _AT, {"k": "v'\t\\"}, None, [1.5, float(number)]]


def test_the_plain_client_creates_inserts_and_queries(clickhouse_address):
    where = clickhouse_url.parse(clickhouse_address)
    client = clickhouse_connect.get_client(
        host=where.host, port=where.port, username=where.user, password=where.password, database=where.database
    )
    client.command(_EVENTS)
    summary = client.insert("events", [_row(1), _row(2)], column_names=_COLUMNS)
    assert summary.written_rows == 2
    found = client.query("SELECT * FROM events ORDER BY id")
    assert list(found.column_names) == _COLUMNS
    assert found.result_rows[0] == (
        1,
        "name 1",
        "click",
        _AT.replace(tzinfo=None),
        {"k": "v'\t\\"},
        None,
        [1.5, 1.0],
    )
    assert len(found.result_rows) == 2
    client.close()


def test_large_native_blocks_go_both_ways_compressed(clickhouse):
    clickhouse.command("CREATE TABLE wide (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    clickhouse.insert("wide", [[number, "x" * 100] for number in range(200_000)], column_names=["a", "b"])
    rows = clickhouse.query("SELECT a, b FROM wide ORDER BY a").result_rows
    assert len(rows) == 200_000
    assert rows[-1] == (199_999, "x" * 100)


@pytest.mark.parametrize("codec", ["lz4", "zstd", "gzip", "deflate", False])
def test_every_compression_the_client_offers_is_understood(clickhouse_address, codec):
    client = clickhouse_url.connect(clickhouse_address, compress=codec)
    client.command("CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    if codec != "deflate":
        client.insert("t", [[number, "y" * 50] for number in range(50_000)], column_names=["a", "b"])
        assert client.query("SELECT count(), sum(a) FROM t").result_rows == [(50_000, 1_249_975_000)]
    assert len(client.query("SELECT number FROM numbers(100000)").result_rows) == 100_000
    client.close()


@pytest.mark.parametrize(
    ("fmt", "data"),
    [
        ("JSONEachRow", b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'),
        ("TabSeparated", b"1\tx\n2\ty\n"),
        ("CSV", b'1,"x"\n2,"y"\n'),
        ("RowBinary", b"\x01\x00\x00\x00\x01x\x02\x00\x00\x00\x01y"),
        ("Values", b"(1, 'x'), (1 + 1, lower('Y'))"),
    ],
)
def test_raw_inserts_take_each_format(clickhouse, fmt, data):
    clickhouse.command("CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    clickhouse.raw_insert("t", ["a", "b"], data, fmt=fmt)
    assert clickhouse.query("SELECT a, b FROM t ORDER BY a").result_rows == [(1, "x"), (2, "y")]


def test_parameters_are_bound_by_the_server(clickhouse):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    text = "it's\t\\ \n\u201cx\u201d"
    found = clickhouse.query(
        "SELECT {n:Int32} + 1, {s:String}, {l:Array(String)}, {d:DateTime64(3)}, {o:Nullable(String)}",
        parameters={"n": 4, "s": text, "l": ["q", "z'"], "d": moment, "o": None},
    )
    assert found.result_rows == [(5, text, ["q", "z'"], moment.replace(tzinfo=None), None)]


def test_parameters_too_long_for_a_url_travel_as_a_form(clickhouse):
    names = [f"name-{number:06d}" for number in range(5000)]
    found = clickhouse.query(
        "SELECT length({names:Array(String)}), {names:Array(String)}[5000]", parameters={"names": names}
    )
    assert found.result_rows == [(5000, "name-004999")]


def test_no_rows_still_have_column_names_and_types(clickhouse):
    clickhouse.command(_EVENTS)
    for tail in ("", "WHERE {n:Int32} = 2", "LIMIT 0"):
        found = clickhouse.query(f"SELECT id, labels FROM events {tail}", parameters={"n": 1})  # noqa: S608
        assert list(found.column_names) == ["id", "labels"]
        assert found.result_rows == []
    assert list(clickhouse.query("SHOW TABLES LIKE 'nothing%'").column_names) == ["name"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM nothing_here", 60),
        ("SELECT nothing_here", 47),
        ("SELEKT 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT no_such_function(1)", 46),
        ("SELECT * FROM nowhere.nothing", 81),
        ("SELECT toUInt8('x')", 6),
    ],
)
def test_errors_carry_clickhouse_codes(clickhouse, query, code):
    with pytest.raises(DatabaseError) as caught:
        clickhouse.query(query)
    assert caught.value.code == code


def test_an_error_in_the_middle_of_a_stream_reaches_the_reader(clickhouse):
    with (
        pytest.raises(Exception, match="throwIf") as caught,
        clickhouse.query_row_block_stream("SELECT throwIf(number = 5000000), number FROM numbers(10000000)") as stream,
    ):
        for _ in stream:
            pass
    assert type(caught.value).__name__ == "StreamFailureError"
    assert clickhouse.query("SELECT 1").result_rows == [(1,)]


def test_a_failed_insert_stores_nothing(clickhouse):
    clickhouse.command("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(DatabaseError) as caught:
        clickhouse.raw_insert("t", ["a"], b'{"a":1}\n{"a":"no number"}\n', fmt="JSONEachRow")
    assert caught.value.code in (26, 27, 72)
    assert clickhouse.query("SELECT count() FROM t").result_rows == [(0,)]


def test_one_batch_sent_twice_under_one_token_is_stored_once(clickhouse):
    clickhouse.command(_EVENTS)
    for token in ("segment-1", "segment-1", "segment-2"):
        clickhouse.insert("events", [_row(1)], column_names=_COLUMNS, settings={"insert_deduplication_token": token})
    assert clickhouse.query("SELECT count() FROM events").result_rows == [(2,)]


def test_settings_hold_for_one_request(clickhouse):
    query = "SELECT getSetting('max_block_size')"
    assert clickhouse.query(query, settings={"max_block_size": 1234}).result_rows == [(1234,)]
    assert clickhouse.query(query).result_rows != [(1234,)]


def test_a_session_keeps_temporary_tables_and_its_own_settings(clickhouse_address):
    client = clickhouse_url.connect(clickhouse_address, session_id="session-of-a-test")
    client.command("CREATE TEMPORARY TABLE mine (a Int32)")
    client.insert("mine", [[7]], column_names=["a"])
    client.command("SET max_block_size = 4321")
    client.query("SELECT 1", settings={"max_block_size": 99})
    assert client.query("SELECT a, getSetting('max_block_size') FROM mine").result_rows == [(7, 4321)]
    other = clickhouse_url.connect(clickhouse_address)
    with pytest.raises(DatabaseError) as caught:
        other.query("SELECT a FROM mine")
    assert caught.value.code == 60
    for one in (client, other):
        one.close()


def test_external_data_joins_a_query(clickhouse):
    from clickhouse_connect.driver.external import ExternalData

    data = ExternalData(file_name="wanted", data=b"1,a\n3,c\n", fmt="CSV", structure="id UInt32, tag String")
    found = clickhouse.query("SELECT id, tag FROM wanted ORDER BY id", external_data=data)
    assert found.result_rows == [(1, "a"), (3, "c")]


def test_a_long_scan_leaves_room_for_small_queries(clickhouse_address):
    scanning = clickhouse_url.connect(clickhouse_address)
    asking = clickhouse_url.connect(clickhouse_address)
    endless = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) % 7 = 3 SETTINGS max_threads = 1"
    ends = []

    def scan():
        try:
            scanning.query(endless, settings={"max_execution_time": 600})
        except DatabaseError as error:
            ends.append(error.code)

    def scans():
        return asking.query("SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number)%7%'").result_rows

    thread = threading.Thread(target=scan)
    thread.start()
    assert wait_until(lambda: scans()[0][0] == 2, 60)
    for _ in range(20):
        assert asking.query("SELECT 1").result_rows == [(1,)]
    assert ends == []
    asking.command("KILL QUERY WHERE query LIKE '%sipHash64(number)%7%' AND query NOT LIKE '%system.processes%' ASYNC")
    thread.join()
    assert ends == [394]
    for one in (scanning, asking):
        one.close()


def test_dataframes_and_arrow_have_their_formats(clickhouse):
    table = clickhouse.query_arrow("SELECT number AS a FROM numbers(3)")
    assert table.column("a").to_pylist() == [0, 1, 2]
