import time
from contextlib import suppress

import pytest

from brokle.engines.clickhouse.coding import choose, compressor, decode
from brokle.engines.clickhouse.errors import ClickHouseError
from brokle.engines.clickhouse.guard import refuse_forbidden
from brokle.engines.clickhouse.statement import parse
from brokle.engines.clickhouse.tokens import scan


@pytest.mark.parametrize(
    ("text", "sql", "fmt", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t ", "CSV", "1,2"),
        (
            "insert into t (a, b) settings x = 1 format JSONEachRow {}",
            "insert into t (a, b) settings x = 1 ",
            "JSONEachRow",
            "{}",
        ),
        ("INSERT INTO t VALUES (1)", "INSERT INTO t ", "Values", " (1)"),
        ("INSERT INTO `format` FORMAT TSV\n\n1", "INSERT INTO `format` ", "TSV", "\n1"),
        ("INSERT INTO values VALUES (1)", "INSERT INTO values ", "Values", " (1)"),
        (
            "INSERT INTO db.format (values, `select`) FORMAT TSV\r\n1",
            "INSERT INTO db.format (values, `select`) ",
            "TSV",
            "1",
        ),
        (
            "/* FORMAT x */ INSERT INTO t -- VALUES\nFORMAT Native\n\x00",
            "/* FORMAT x */ INSERT INTO t -- VALUES\n",
            "Native",
            "\x00",
        ),
    ],
)
def test_an_insert_ends_where_its_data_begins(text, sql, fmt, data):
    statement = parse(text)
    assert (statement.sql, statement.format) == (sql, fmt)
    assert text.encode()[statement.data_at :] == data.encode()


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 format JSON SETTINGS a = 1;", "JSON"),
        ("SELECT 1 AS format", None),
        ("SELECT 'FORMAT JSON'", None),
        ("SELECT (SELECT 1 FORMAT JSON)", None),
        ("SELECT 1 /* FORMAT JSON */", None),
        ("SELECT format FROM t", None),
        ("INSERT INTO t SELECT 1", None),
    ],
)
def test_a_format_is_found_only_where_it_is_one(text, fmt):
    assert parse(text).format == fmt


def test_a_format_can_be_cut_out():
    assert parse("SELECT 1 FORMAT Native SETTINGS a = 1").without_format() == "SELECT 1  SETTINGS a = 1"


@pytest.mark.parametrize("text", ["", "exit", "quit;", "\\q", ":q", "SELECT 1; SELECT 2", "'x'", "12"])
def test_what_a_server_would_not_parse_is_a_syntax_error(text):
    with pytest.raises(ClickHouseError) as caught:
        parse(text)
    assert caught.value.code == 62


def test_strings_comments_and_quoted_names_are_one_token_each():
    text = """SELECT 'it''s \\' ; x', `a``b`, "c\\"d" /* ; */ -- ;\n, $tag$ ; $tag$ # ;\n"""
    assert [token.text for token in scan(text)] == [
        "SELECT", "'it''s \\' ; x'", ",", "`a``b`", ",", '"c\\"d"', ",", "$tag$ ; $tag$",
    ]  # fmt: skip


def test_the_engine_is_asked_only_about_suspects():
    asked = []

    def normalize(sql):
        asked.append(sql)
        return sql

    refuse_forbidden("SELECT a, b FROM t WHERE x = 'y'", normalize)
    assert asked == []
    refuse_forbidden("SELECT a FROM profiles", normalize)
    with pytest.raises(ClickHouseError):
        refuse_forbidden("SELECT * FROM t INTO OUTFILE 'x'", normalize)
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["lz4", "zstd", "gzip", "deflate", ""])
def test_codings_undo_each_other_over_many_pieces_and_frames(name):
    data = bytes(range(256)) * 5000
    packed = b""
    for start in range(0, len(data), 400_000):
        one = compressor(name)
        packed += one.compress(data[start : start + 400_000]) + one.flush()
    pieces = [packed[start : start + 777] for start in range(0, len(packed), 777)]
    assert b"".join(decode(iter(pieces), name)) == data


def test_a_broken_or_short_compressed_body_is_an_error():
    whole = compressor("lz4")
    packed = whole.compress(b"x" * 1000) + whole.flush()
    for body in (packed[:-3], b"nonsense", b""):
        if body:
            with pytest.raises(ClickHouseError) as caught:
                list(decode(iter([body]), "lz4"))
            assert caught.value.code == 117


def test_the_cheapest_accepted_coding_is_chosen():
    assert choose("gzip, deflate, br, zstd") == "zstd"
    assert choose("gzip;q=1.0, lz4") == "lz4"
    assert choose("lz4;q=0, gzip") == "gzip"
    assert choose("") == ""


@pytest.mark.parametrize(
    "text", ["SELECT '\\'", "SELECT 'a''", "SELECT `a", 'SELECT "a', "SELECT 1 /* ;", "SELECT $a$ ;"]
)
def test_what_is_opened_and_never_closed_is_a_syntax_error(text):
    with pytest.raises(ClickHouseError, match="never closed"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '" + "\\'" * 200_000,
        "SELECT '" + "''" * 200_000,
        "SELECT " + "/*" * 200_000,
        "SELECT " + "".join(f"$a{number}$ " for number in range(50_000)),
        "SELECT 1" + ";" * 200_000,
    ],
    ids=["escapes", "quotes", "comments", "here-documents", "semicolons"],
)
def test_no_text_takes_longer_than_its_length(text):
    """Each of these took minutes when an opening without its end was tried again from every place behind it."""
    began = time.process_time()
    with suppress(ClickHouseError):
        parse(text)

    assert time.process_time() - began < 10


def test_a_small_body_that_unpacks_to_a_large_one_comes_in_pieces():
    for name in ("lz4", "zstd", "gzip", "deflate"):
        whole = compressor(name)
        packed = b"".join(whole.compress(bytes(1024 * 1024)) for _ in range(64)) + whole.flush()
        sizes = [len(piece) for piece in decode(iter([packed]), name)]

        assert sum(sizes) == 64 * 1024 * 1024
        assert max(sizes) <= 1024 * 1024
