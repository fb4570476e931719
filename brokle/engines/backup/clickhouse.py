"""ClickHouse: each table by its own definition and its rows, through the HTTP protocol of either engine.

Rows travel as TabSeparated, which loses nothing and can be cut at any line: the embedded engine takes bodies of bounded
size, and a query of the whole table is one consistent view of it.
"""

import gzip
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from brokle.engines.clickhouse.tokens import scan
from brokle.engines.clickhouse_url import connect

_FORMAT = "TabSeparated"
_READ = 1024 * 1024
_BATCH = 16 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLES = """
SELECT name, engine, create_table_query FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary AND NOT startsWith(name, '.inner') ORDER BY name
"""
_COLUMNS = """
SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}
AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') ORDER BY position
"""


class UnableToCopyClickHouse(Exception):
    pass


@contextmanager
def _connected(url: str, **options: Any) -> Iterator[Any]:
    from clickhouse_connect.driver.exceptions import ClickHouseError
    from urllib3.exceptions import HTTPError  # noqa: TID251 - what clickhouse-connect's streams raise

    client = None
    try:
        client = connect(url, **options)
        yield client
    except (ClickHouseError, HTTPError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnableToCopyClickHouse(f"ClickHouse: {reason[0]}") from error
    finally:
        if client is not None:
            client.close()


def server_version(url: str) -> str:
    with _connected(url) as client:
        return str(client.server_version)


def is_empty(url: str) -> bool:
    with _connected(url) as client:
        return not client.query(_TABLES).result_rows


def list_tables(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Each table with what is needed to make it again, wherever its database is called otherwise."""
    with _connected(url) as client:
        database = client.command("SELECT currentDatabase()")
        return [
            (name, {"engine": engine, "create": _unplaced(query, database), **_shape(client, name, engine)})
            for name, engine, query in client.query(_TABLES).result_rows
        ]


def _shape(client: Any, name: str, engine: str) -> dict[str, Any]:
    columns = [row[0] for row in client.query(_COLUMNS, parameters={"table": name}).result_rows]
    return {"columns": columns, "is_view": engine.endswith("View")}


def _unplaced(query: str, database: str) -> str:
    """Without the database before its tables; texts and comments that hold its name keep it."""
    parts, at = [], 0
    tokens = list(scan(query))
    for token, following in pairwise(tokens):
        if token.kind in {"word", "name"} and token.text.strip('`"') == database and following.text == ".":
            parts.append(query[at : token.start])
            at = following.end
    return "".join([*parts, query[at:]])


def dump_table(url: str, name: str, columns: list[str], target: Path) -> int:
    """Returns how many rows it wrote."""
    rows = 0
    query = f"SELECT {_listed(columns)} FROM {_checked(name)}"  # noqa: S608 - names are ours
    with (
        _connected(url, send_receive_timeout=3600) as client,
        closing(client.raw_stream(query, fmt=_FORMAT)) as stream,
        gzip.open(target, "wb", compresslevel=4) as file,
    ):
        while piece := stream.read(_READ):
            rows += piece.count(b"\n")
            file.write(piece)
    return rows


def drop_tables(url: str) -> None:
    with _connected(url) as client:
        for name, _, _ in client.query(_TABLES).result_rows:
            client.command(f"DROP TABLE IF EXISTS {_checked(name)} SYNC")


def create_table(url: str, query: str) -> None:
    with _connected(url) as client:
        client.command(query)


def fill_table(url: str, name: str, columns: list[str], source: BinaryIO) -> None:
    settings = {"insert_deduplicate": 0}
    with _connected(url, send_receive_timeout=3600) as client, gzip.open(source, "rb") as file:
        for batch in _batches(file):
            client.raw_insert(_checked(name), columns, batch, settings=settings, fmt=_FORMAT)


def _batches(file: Any) -> Iterator[bytes]:
    rest = b""
    while piece := file.read(_BATCH):
        whole, newline, tail = (rest + piece).rpartition(b"\n")
        if newline:
            yield whole + newline
        rest = tail
    if rest:
        raise UnableToCopyClickHouse("a table's rows end in the middle of one")


def _listed(columns: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in map(_checked, columns))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UnableToCopyClickHouse(f"{name[:60]!r} is no name of ours")
    return name
