"""The protocol itself, as curl sees it."""

import gzip
import json
import socket
import subprocess

import pytest

from brokle.engines.clickhouse_url import parse
from brokle.engines.tests.clickhouse_process import curl

pytestmark = pytest.mark.engines


@pytest.fixture
def at(clickhouse_address):
    where = parse(clickhouse_address)
    return f"http://{where.user}:{where.password}@{where.host}:{where.port}/?database={where.database}"


def _quiet(at):
    where = parse(at)
    return f"http://{where.host}:{where.port}"


def test_get_answers_in_tabs_with_clickhouse_headers(at):
    status, headers, body = curl(f"{at}&query=SELECT+1,'a'&query_id=one-of-mine")
    assert (status, body) == (200, b"1\ta\n")
    assert headers["x-clickhouse-query-id"] == "one-of-mine"
    assert headers["x-clickhouse-format"] == "TabSeparated"
    assert headers["x-clickhouse-timezone"] == "UTC"
    assert "x-clickhouse-server-display-name" in headers
    assert json.loads(headers["x-clickhouse-summary"])["read_rows"] == "1"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("SELECT 1 AS a FORMAT JSONEachRow", b'{"a":1}\n'),
        ("SELECT 1 AS a FORMAT CSVWithNames", b'"a"\n1\n'),
        ("SELECT 1 AS a SETTINGS max_threads = 1 FORMAT JSONCompactEachRow", b"[1]\n"),
        ("SELECT 1 AS a FORMAT TSVWithNames SETTINGS max_threads = 1", b"a\n1\n"),
        ("(SELECT 1) UNION ALL (SELECT 1)", b"1\n1\n"),
        ("WITH 2 AS two SELECT two -- FORMAT JSON", b"2\n"),
        ("SELECT 'FORMAT JSON'", b"FORMAT JSON\n"),
        ("SELECT number FROM numbers(3) WHERE 0", b""),
        ("EXISTS TABLE nothing_here", b"0\n"),
        ("SELECT 'é\u2026' AS `ü`", "é\u2026\n".encode()),
        ("SELECT 1 FORMAT Null", b""),
        ("SELECT 1;", b"1\n"),
    ],
)
def test_a_posted_query_chooses_its_format(at, query, body):
    status, _, found = curl(at, data=query.encode())
    assert (status, found) == (200, body)


def test_json_is_one_whole_document_however_many_blocks(at):
    status, headers, body = curl(f"{at}&max_block_size=1000", data=b"SELECT number FROM numbers(100000) FORMAT JSON")
    assert status == 200
    assert headers["content-type"] == "application/json; charset=UTF-8"
    found = json.loads(body)
    assert found["rows"] == 100_000
    assert found["data"][-1] == {"number": 99999}


def test_the_default_format_comes_from_the_url_or_a_header(at):
    assert curl(f"{at}&default_format=JSONEachRow", data=b"SELECT 1 AS a")[2] == b'{"a":1}\n'
    assert curl(at, "-H", "X-ClickHouse-Format: CSV", data=b"SELECT 1, 'a'")[2] == b'1,"a"\n'


def test_inserts_name_their_format_in_the_url_or_in_the_body(at):
    curl(at, data=b"CREATE TABLE t (a UInt32, b String DEFAULT 'd') ENGINE = MergeTree ORDER BY a")
    status, headers, body = curl(f"{at}&query=INSERT+INTO+t+FORMAT+JSONEachRow", data=b'{"a":1,"b":"x"}\n{"a":2}')
    assert (status, body) == (200, b"")
    assert "x-clickhouse-format" not in headers
    assert json.loads(headers["x-clickhouse-summary"])["written_rows"] == "2"
    assert curl(at, data=b"INSERT INTO t (a) FORMAT CSV\n3\n4\n")[0] == 200
    assert curl(at, data=b"INSERT INTO t VALUES (5, 'it''s; FORMAT x'), (6, {p:String})&")[0] >= 400
    assert curl(f"{at}&param_p=six", data=b"INSERT INTO t VALUES (5, 'it''s; FORMAT x'), (6, {p:String})")[0] == 200
    assert curl(f"{at}&query=INSERT+INTO+t+VALUES", data=b"(7, 'seven')")[0] == 200
    assert curl(at, data=b"INSERT INTO t SELECT a + 100, b FROM t WHERE a = 7")[0] == 200
    _, _, found = curl(at, data=b"SELECT a, b FROM t ORDER BY a")
    rows = ["1 x", "2 d", "3 d", "4 d", "5 it\\'s; FORMAT x", "6 six", "7 seven", "107 seven"]
    assert found.decode().splitlines() == [row.replace(" ", "\t", 1) for row in rows]


def test_bodies_are_read_chunked_and_compressed(at):
    curl(at, data=b"CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    data = gzip.compress(b"\n".join(b"%d" % number for number in range(300_000)))
    status, _, _ = curl(
        f"{at}&query=INSERT+INTO+t+FORMAT+TSV",
        *("-H", "Content-Encoding: gzip", "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"),
        data=data,
    )
    assert status == 200
    assert curl(at, data=b"SELECT count(), sum(a) FROM t")[2] == b"300000\t44999850000\n"


def test_answers_are_compressed_when_asked(at):
    command = [
        "curl",
        "-sS",
        "--compressed",
        f"{at}&query=SELECT+number+FROM+numbers(500000)&enable_http_compression=1",
    ]
    body = subprocess.run(command, capture_output=True, check=True).stdout
    assert body.count(b"\n") == 500_000
    _, headers, packed = curl(f"{at}&query=SELECT+1&enable_http_compression=1", "-H", "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == b"1\n"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (b"SELECT * FROM nothing_here", 404, "60"),
        (b"SELEKT", 400, "62"),
        (b"SELECT 1; SELECT 2", 400, "62"),
        (b"SELECT throwIf(1)", 500, "395"),
        (b"SELECT 1 FORMAT NoSuchFormat", 404, "73"),
        (b"SELECT 1 SETTINGS no_such_setting = 1", 404, "115"),
        (b"exit", 400, "62"),
        (b"", 400, "62"),
    ],
)
def test_errors_have_their_status_and_code(at, query, status, code):
    found, headers, body = curl(at, "-H", "X-Nothing: 1", data=query)
    assert (found, headers["x-clickhouse-exception-code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_a_get_only_reads(at):
    status, headers, _ = curl(f"{at}&query=CREATE+TABLE+t+(a+Int8)+ENGINE=Memory")
    assert (status, headers["x-clickhouse-exception-code"]) == (500, "164")
    assert curl(f"{at}&query=EXISTS+TABLE+t")[2] == b"0\n"


def test_ping_needs_no_login(at):
    assert curl(f"{_quiet(at)}/ping")[::2] == (200, b"Ok.\n")
    assert curl(f"{_quiet(at)}/replicas_status")[0] == 200
    assert curl(f"{_quiet(at)}/nowhere")[0] == 404


def test_credentials_come_in_three_ways_and_wrong_ones_are_refused(at):
    where = parse(at)
    base = _quiet(at)
    assert curl(f"{base}/?query=SELECT+1&user={where.user}&password={where.password}")[0] == 200
    headers = ["-H", f"X-ClickHouse-User: {where.user}", "-H", f"X-ClickHouse-Key: {where.password}"]
    assert curl(f"{base}/?query=SELECT+1", *headers)[0] == 200
    wrong = ["-u", f"{where.user}:wrong"], ["-u", f"nobody:{where.password}"], ["-H", "Authorization: Basic !"]
    for arguments in ([], *wrong):
        status, found, body = curl(f"{base}/?query=SELECT+1", *arguments)
        assert (status, found["x-clickhouse-exception-code"]) == (403, "516")
        assert b"1\n" not in body.splitlines()


def test_one_connection_serves_many_requests(at):
    command = ["curl", "-sS", "-v", f"{at}&query=SELECT+1", f"{at}&query=SELECT+nothing", f"{at}&query=SELECT+3"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.splitlines()[0] == b"1"
    assert done.stdout.splitlines()[-1] == b"3"
    assert done.stderr.count(b"Connected to") == 1


def test_requests_that_are_not_http_end_the_connection(at):
    where = parse(at)
    with socket.create_connection((where.host, where.port), timeout=60) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert b"400" in answer


def test_a_session_serves_one_query_at_a_time(at):
    command = ["curl", "-sS", "-D", "-", f"{at}&session_id=busy&query=SELECT+sleep(3)"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    served, refused = sorted(process.communicate()[0] for process in both)
    assert served.startswith("HTTP/1.1 200")
    assert refused.startswith("HTTP/1.1 500")
    assert "x-clickhouse-exception-code: 373" in refused.lower()


def test_a_long_query_may_hold_semicolons_in_its_strings(at):
    text = b"a;" * 200_000
    status, _, body = curl(f"{at}&max_query_size=1000000", data=b"SELECT length('" + text + b"')")
    assert (status, body) == (200, b"400000\n")


def test_two_queries_may_carry_one_comment(at):
    command = ["curl", "-sS", f"{at}&log_comment=report&query=SELECT+sleep(1)"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [b"0\n", b"0\n"]
