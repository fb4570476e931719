"""One request from its parameters and body to its answer: session, settings, guard, then the right way to run it."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from brokle.engines.clickhouse.engine import Engine, Progress, Session
from brokle.engines.clickhouse.errors import (
    QUERY_IS_TOO_LARGE,
    READONLY,
    ClickHouseError,
    refusal,
)
from brokle.engines.clickhouse.guard import refuse_forbidden
from brokle.engines.clickhouse.request import MAX_SQL_BYTES, ExternalTable, Parameters
from brokle.engines.clickhouse.response import Response
from brokle.engines.clickhouse.running import RunningQueries
from brokle.engines.clickhouse.sessions import NamedSession, Sessions, timeout_seconds
from brokle.engines.clickhouse.statement import Statement, find_insert, parse

# Formats whose blocks stand alone, so that pieces in a row are one valid answer. Others are made whole.
_STREAMABLE = frozenset(
    [
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "CSV",
        "RowBinary",
        "JSONEachRow",
        "JSONLines",
        "NDJSON",
        "JSONStringsEachRow",
        "JSONCompactEachRow",
        "JSONCompactStringsEachRow",
        "TSKV",
        "LineAsString",
        "MsgPack",
    ]
)
_HEAD_BYTES = 64 * 1024
_TEXT = ("utf-8", "surrogateescape")


@dataclass(slots=True)
class Request:
    parameters: Parameters
    pieces: Iterator[bytes]
    query_id: str
    may_write: bool
    client: socket.socket | None


class Executor:
    def __init__(self, engine: Engine, sessions: Sessions, running: RunningQueries) -> None:
        self._engine = engine
        self._sessions = sessions
        self._running = running

    def run(self, request: Request, response: Response) -> None:
        parameters = request.parameters
        parameters.refuse_unsupported()
        statement, data = read_statement(parameters.text("query"), request.pieces)
        response.hold_all = parameters.flag("wait_end_of_query")
        mark = parameters.settings.setdefault("log_comment", request.query_id)
        client = request.client if mark == request.query_id else None
        with self._running.slot(request.query_id, client), self._session(parameters, statement) as session:
            refuse_forbidden(_whole(statement), session.normalize)
            if not request.may_write and not _reads(session, statement):
                raise refusal(
                    READONLY,
                    "READONLY",
                    "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                    "You should use method POST for modifying queries.",
                )
            for table in parameters.tables:
                _make_temporary(session, table)
            if statement.data_at is not None:
                session.set({f"param_{name}": value for name, value in parameters.query_params.items()})
                session.insert(statement.sql, statement.format or "", data, response.progress)
            elif statement.answers:
                _answer(session, statement, parameters, response)
            else:
                session.query(statement.sql, "TabSeparated", parameters.query_params, response.progress)

    @contextmanager
    def _session(self, parameters: Parameters, statement: Statement) -> Iterator[Session]:
        session_id = parameters.text("session_id")
        database = parameters.text("database")
        if not session_id:
            with self._engine.session() as session:
                if database:
                    session.use(database)
                session.set(parameters.settings)
                yield session
            return
        timeout_s = timeout_seconds(parameters.text("session_timeout"))
        named = self._sessions.acquire(session_id, must_exist=parameters.flag("session_check"))
        try:
            with _request_settings(named, database, parameters.settings):
                yield named.engine
                _remember(named, statement)
        finally:
            self._sessions.release(session_id, timeout_s=timeout_s, close=parameters.flag("close_session"))


@contextmanager
def _request_settings(named: NamedSession, database: str, settings: Mapping[str, str]) -> Iterator[None]:
    """A request's own database and settings hold for that request only."""
    named.engine.use(database or named.database)
    named.engine.set(settings)
    try:
        yield
    finally:
        named.restore(settings)


def _remember(named: NamedSession, statement: Statement) -> None:
    if statement.verb == "SET":
        named.said.append(statement.sql)
    elif statement.verb == "USE":
        named.database = named.engine.run("SELECT currentDatabase()").decode().rstrip("\n")


def read_statement(query: str, pieces: Iterator[bytes]) -> tuple[Statement, Iterator[bytes]]:
    """The SQL, from the URL or the body's beginning, and what of the body is data for its INSERT."""
    if query:
        statement = parse(query)
        if statement.data_at is not None:
            return statement, _joined(query.encode(*_TEXT)[statement.data_at :], pieces)
        body = _rest(b"", pieces)
        return (parse(f"{query}\n{body.decode(*_TEXT)}") if body else statement), iter(())
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= _HEAD_BYTES:
            break
    if len(head) >= _HEAD_BYTES:
        insert = find_insert(head.decode(*_TEXT))
        if insert is not None and insert.data_at is not None and insert.data_at < len(head):
            return insert, _joined(head[insert.data_at :], pieces)
    head = _rest(head, pieces)
    statement = parse(head.decode(*_TEXT))
    if statement.data_at is None:
        return statement, iter(())
    return statement, iter((head[statement.data_at :],))


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _rest(head: bytes, pieces: Iterator[bytes]) -> bytes:
    parts = [head]
    total = len(head)
    for piece in pieces:
        total += len(piece)
        if total > MAX_SQL_BYTES:
            raise refusal(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The query is longer than {MAX_SQL_BYTES} bytes.")
        parts.append(piece)
    return b"".join(parts)


def _whole(statement: Statement) -> str:
    return statement.sql if statement.data_at is None else f"{statement.sql} FORMAT {statement.format}"


def _make_temporary(session: Session, table: ExternalTable) -> None:
    create = f"CREATE OR REPLACE TEMPORARY TABLE {table.name} ({table.structure})"
    refuse_forbidden(create, session.normalize)
    session.run(create)
    session.insert(f"INSERT INTO {table.name}", table.format, iter((table.data,)), Progress())


def _reads(session: Session, statement: Statement) -> bool:
    return statement.data_at is None and (statement.verb in ("SET", "USE") or session.only_reads(statement.sql))


def _answer(session: Session, statement: Statement, parameters: Parameters, response: Response) -> None:
    response.format = statement.format or parameters.text("default_format") or "TabSeparated"
    params = parameters.query_params
    if statement.streams and response.format in _STREAMABLE:
        try:
            for piece in session.stream(statement.sql, response.format, params, response.progress):
                response.send(piece)
        except ClickHouseError as error:
            if "Streaming query is not supported" not in error.message:
                raise
            response.send(session.query(statement.sql, response.format, params, response.progress))
    else:
        response.send(session.query(statement.sql, response.format, params, response.progress))
    if response.format == "Native" and response.progress.result_rows == 0:
        response.send(_native_header(session, statement, params))


def _native_header(session: Session, statement: Statement, params: Mapping[str, str]) -> bytes:
    """A server sends an empty block with names and types for no rows; the embedded engine sends nothing."""
    sql = statement.without_format()
    if statement.streams:
        sql = f"DESCRIBE TABLE ({sql}\n)"
        rows = session.query(sql, "JSONCompactEachRow", params, Progress()).splitlines()
        columns = [json.loads(row)[:2] for row in rows]
    else:
        names, types = session.query(sql, "JSONCompactEachRowWithNamesAndTypes", params, Progress()).splitlines()[:2]
        columns = list(zip(json.loads(names), json.loads(types), strict=True))
    block = _varint(len(columns)) + _varint(0)
    return block + b"".join(_string(name) + _string(kind) for name, kind in columns)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _string(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data
