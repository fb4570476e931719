"""Where the shipper delivers. A sink may be called twice with the same token and must store once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec


class SinkDown(Exception):
    """The sink cannot be reached; everything stays and is tried again.

    Its text is a class or a code: logs, spans and the status file show it.
    """


class RecordsRejected(Exception):
    """The sink will not take these records whatever one does; the shipper looks for the bad ones."""


class Sink(Protocol):
    @property
    def name(self) -> str: ...

    def deliver(self, kind: str, payloads: Sequence[bytes], token: str) -> None:
        """Blocking; runs in a thread of the shipper."""


@dataclass(frozen=True, slots=True)
class Table:
    """Records of a kind are JSON objects whose members are the table's columns."""

    kind: str
    table: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a record of a kind means as a `usage_record`; None when it means nothing to billing."""

    kind: str
    meter: Callable[[dict[str, Any]], dict[str, Any] | None]


_DATA_ERRORS = frozenset({6, 26, 27, 33, 36, 38, 41, 53, 69, 70, 72, 117, 130, 131, 349})


class ClickHouseSink:
    """One INSERT a batch; the token and ReplacingMergeTree make a second delivery harmless."""

    name = "clickhouse"

    def __init__(self, url: str, tables: Sequence[Table]) -> None:
        self._url = url
        self._tables = {table.kind: table.table for table in tables}
        self._client: Any = None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._tables)

    def deliver(self, kind: str, payloads: Sequence[bytes], token: str) -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

        settings = {
            "input_format_skip_unknown_fields": 1,
            "date_time_input_format": "best_effort",
            "insert_deduplication_token": token,
            "async_insert": 0,
        }
        try:
            client = self._connected()
            client.raw_insert(
                self._tables[kind], insert_block=b"\n".join(payloads), settings=settings, fmt="JSONEachRow"
            )
        except DatabaseError as error:
            code = _clickhouse_code(str(error))
            if code in _DATA_ERRORS:
                raise RecordsRejected(str(error)[:300]) from error
            raise SinkDown(f"ClickHouse answered with error {code}") from error  # its text may quote a record
        except (OperationalError, OSError) as error:
            self._client = None
            raise SinkDown(type(error).__name__) from error

    def _connected(self) -> Any:
        if self._client is None:
            from clickhouse_connect import get_client

            self._client = get_client(dsn=self._url, autogenerate_session_id=False)
        return self._client


def _clickhouse_code(text: str) -> int:
    for marker in ("Code: ", "error code "):
        _, found, rest = text.partition(marker)
        if found:
            digits = rest.split(".", 1)[0].split(",", 1)[0].split(" ", 1)[0].strip(":")
            if digits.isdigit():
                return int(digits)
    return 0


_USAGE_COLUMNS = (
    "id",
    "organization_id",
    "project_id",
    "environment_id",
    "key_id",
    "meter",
    "quantity",
    "cost_usd_nanos",
    "is_own_key",
    "subject",
    "at",
)
_USUAL = {"is_own_key": False}
"""What a room leaves out."""
_USAGE_INSERT = (
    f"INSERT INTO usage_record ({', '.join(_USAGE_COLUMNS)}) "  # noqa: S608 - a constant list of columns
    f"VALUES ({', '.join(f'%({name})s' for name in _USAGE_COLUMNS)}) ON CONFLICT (id) DO NOTHING"
)


class UsageSink:
    """The one write to PostgreSQL outside the control plane: idempotent by id."""

    name = "usage"

    def __init__(self, url: str, usages: Sequence[Usage]) -> None:
        self._url = url
        self._usages = {usage.kind: usage for usage in usages}
        self._connection: Any = None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._usages)

    def deliver(self, kind: str, payloads: Sequence[bytes], token: str) -> None:
        import psycopg

        meter = self._usages[kind].meter
        try:
            found = (meter(msgspec.json.decode(payload)) for payload in payloads)
            rows = [{**_USUAL, **row} for row in found if row is not None]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise RecordsRejected(f"{type(error).__name__}: {error}"[:300]) from error
        if not rows:
            return
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(_USAGE_INSERT, rows)
        except psycopg.DataError as error:
            raise RecordsRejected(str(error)[:300]) from error
        except psycopg.Error as error:
            self._connection = None
            raise SinkDown(f"{type(error).__name__} {error.sqlstate or ''}".rstrip()) from error

    def _connected(self) -> Any:
        if self._connection is None or self._connection.closed:
            import psycopg

            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        return self._connection
