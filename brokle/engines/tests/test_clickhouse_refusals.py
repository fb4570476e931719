"""Clients of the embedded engine stay inside it."""
# ruff: noqa: E501 - one attempt a line reads best

import base64
import socket

import pytest

from brokle.engines.clickhouse_url import parse
from brokle.engines.tests.clickhouse_process import curl

pytestmark = pytest.mark.engines


@pytest.fixture
def at(embedded_clickhouse):
    where = parse(embedded_clickhouse.url)
    return f"http://{where.user}:{where.password}@{where.host}:{where.port}/?database=brokle"


_REFUSED = [
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT file('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT `f\\x69le`('/etc/passwd')",
    'SELECT "\\x66ile"(\'/etc/passwd\')',
    "SELECT /* x */ file /* y */ -- z\n ('/etc/passwd')",
    "WITH x AS (SELECT file('/etc/passwd') AS p) SELECT * FROM x",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', 'system.one')",
    "SELECT * FROM remoteSecure('127.0.0.1', 'system.one')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/k', 'CSV', 'a Int8')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/f', 'CSV', 'a Int8')",
    "SELECT * FROM executable('x', 'TSV', 'a String')",
    "SELECT * FROM Python(engine)",
    "SELECT * FROM `Python`(engine)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'a Int8')",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT 1 INTO OUTFILE '/tmp/brokle-outfile'",
    "SELECT 1 into/**/outfile '/tmp/brokle-outfile' TRUNCATE FORMAT CSV",
    "INSERT INTO FUNCTION file('/tmp/brokle-outfile', 'CSV', 'a Int8') VALUES (1)",
    "INSERT INTO FUNCTION file('/tmp/brokle-outfile', 'CSV', 'a Int8') SELECT 1",
    "CREATE TABLE r (a Int8) ENGINE = File(CSV, '/tmp/brokle-outfile')",
    "CREATE TABLE r (a Int8) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE TABLE r (a Int8) ENGINE = Executable('x', CSV)",
    "CREATE TABLE r (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp/brokle-disk/')",
    "CREATE TABLE r (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = web, endpoint = 'http://127.0.0.1:1/')",
    "CREATE DATABASE r ENGINE = Filesystem('/')",
    "CREATE DATABASE r ENGINE = PostgreSQL('127.0.0.1:1', 'a', 'b', 'c')",
    "CREATE DATABASE r ENGINE = DataLakeCatalog('http://127.0.0.1:1/') SETTINGS warehouse = 'x'",
    "CREATE DICTIONARY r (a UInt64) PRIMARY KEY a SOURCE(HTTP(URL 'http://127.0.0.1:1/' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE VIEW r AS SELECT file('/etc/passwd')",
    "CREATE FUNCTION r AS (x) -> x",
    "CREATE USER r",
    "CREATE NAMED COLLECTION r AS a = 1",
    "ATTACH TABLE r FROM '/tmp' (a Int8) ENGINE = MergeTree ORDER BY a",
    "BACKUP DATABASE brokle TO File('/tmp/brokle-backup')",
    "RESTORE DATABASE brokle FROM File('/tmp/brokle-backup')",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM RELOAD DICTIONARIES",
    "SELECT 1 AS $a$, file('/etc/passwd')",
]  # fmt: skip


@pytest.mark.parametrize("query", _REFUSED)
def test_what_reaches_outside_is_refused(at, query):
    status, headers, body = curl(at, data=query.encode())
    code = headers.get("x-clickhouse-exception-code")
    assert (status, code) == (403, "497") or code == "62", body
    assert b"root:" not in body


def test_infile_is_refused_where_the_table_exists(at):
    assert curl(at, data=b"CREATE TABLE IF NOT EXISTS lines (b String) ENGINE = MergeTree ORDER BY b")[0] == 200
    for query in (
        b"INSERT INTO lines FROM INFILE '/etc/passwd' FORMAT LineAsString",
        b"insert into lines from/**/infile '/etc/hosts'",
    ):
        status, headers, _ = curl(at, data=query)
        assert (status, headers["x-clickhouse-exception-code"]) == (403, "497")
    assert curl(at, data=b"SELECT count() FROM lines")[2] == b"0\n"


@pytest.mark.parametrize(
    "setting",
    [
        "format_schema=x:y",
        "format_avro_schema_registry_url=http://127.0.0.1:1",
        "input_format_record_errors_file_path=x",
        "implicit_select=1",
        "allow_introspection_functions=1",
        "max_memory_usage=0",
        "max_memory_usage=99000000000",
    ],
)
def test_settings_that_would_reach_outside_stay_as_they_are(at, setting):
    status, headers, _ = curl(f"{at}&{setting}&query=SELECT+1")
    assert (status, headers["x-clickhouse-exception-code"]) == (500, "452")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'file(x) INTO OUTFILE' AS `file`",
        "SELECT 1 AS file, 2 AS disk -- outfile",
        "SELECT * FROM numbers(1)",
        "SELECT * FROM generateRandom('a Int8', 1, 1, 1) LIMIT 1",
        "SELECT name FROM system.disks",
        "SELECT * FROM values('a Int8', 1, 2)",
    ],
)
def test_what_only_looks_like_it_is_allowed(at, query):
    status, _, body = curl(at, data=query.encode())
    assert status == 200, body


def test_a_query_over_its_memory_fails_alone(at):
    heavy = (
        b"SELECT sum(number) FROM (SELECT number FROM numbers(100000000) GROUP BY number) SETTINGS "
        b"max_bytes_before_external_group_by = 0, max_bytes_ratio_before_external_group_by = 0"
    )
    status, headers, _ = curl(at, data=heavy)
    assert (status, headers["x-clickhouse-exception-code"]) == (500, "241")
    assert curl(f"{at}&query=SELECT+1")[2] == b"1\n"


def send(at, request):
    """What the server answers to these very bytes before it closes."""
    where = parse(at)
    with socket.create_connection((where.host, where.port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("query_id", ["a%0d%0aX-Evil:%20y", "%E2%82%AC", "%ff"])
def test_a_query_id_writes_no_headers(at, query_id):
    answer = send(at, f"GET /?query=SELECT+1&query_id={query_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nx-evil" not in answer.lower()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET http://[ HTTP/1.1", 400),
        (f"GET /?{'a&' * 10_001} HTTP/1.1", 400),
        ("GET /?query=SELECT+1&user=%ff HTTP/1.1", 403),
    ],
    ids=["address", "parameters", "user"],
)
def test_what_cannot_be_read_is_the_callers_mistake(at, line, status):
    answer = send(at, f"{line}\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nSELECT 1",
        b"Content-Length: +8\r\n\r\nSELECT 1",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\nSELECT 1",
        b"Transfer-Encoding: chunked\r\n\r\n0x8\r\nSELECT 1\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n1_0\r\nSELECT 1        \r\n0\r\n\r\n",
    ],
    ids=["digits", "sign", "negative", "prefix", "underscore"],
)
def test_a_length_that_is_none_is_refused(at, framing):
    where = parse(at)
    login = base64.b64encode(f"{where.user}:{where.password}".encode())
    answer = send(at, b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + login + b"\r\n" + framing)
    assert answer.startswith(b"HTTP/1.1 400 ")
