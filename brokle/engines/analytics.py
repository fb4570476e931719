"""The one way to read ClickHouse: a query belongs to an organization or it cannot be built."""

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from brokle.kernel.tracing import tracer

_local = threading.local()


class UnableToQuery(Exception):
    """ClickHouse is away or refused; the page says so and stays useful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Conditions and expressions are written by us; values enter only as named, typed parameters."""

    table: str
    organization_id: str
    columns: tuple[str, ...] = ("*",)
    conditions: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    group: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int = 1000

    def __post_init__(self) -> None:
        if not self.organization_id:
            raise ValueError(f"a query of {self.table} needs an organization")

    def where(self, condition: str, **parameters: Any) -> "Query":
        """`query.where("status >= {floor:UInt16}", floor=400)`."""
        return replace(self, conditions=(*self.conditions, condition), parameters={**self.parameters, **parameters})

    def grouped(self, *group: str) -> "Query":
        return replace(self, group=group)

    def ordered(self, *order: str, limit: int) -> "Query":
        return replace(self, order=order, limit=limit)

    def sql(self) -> str:
        conditions = ("organization_id = {organization_id:String}", *self.conditions)
        parts = [
            f"SELECT {', '.join(self.columns)} FROM {self.table} FINAL",  # noqa: S608 - names are ours, values bound
            f"WHERE {' AND '.join(f'({condition})' for condition in conditions)}",
        ]
        if self.group:
            parts.append(f"GROUP BY {', '.join(self.group)}")
        if self.order:
            parts.append(f"ORDER BY {', '.join(self.order)}")
        parts.append(f"LIMIT {int(self.limit)}")
        return "\n".join(parts)

    def rows(self) -> list[dict[str, Any]]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        parameters = {**self.parameters, "organization_id": self.organization_id}
        sql = self.sql()
        try:
            with tracer.span("SELECT clickhouse") as span:
                span.set("db.system.name", "clickhouse")
                span.set("db.collection.name", self.table)
                span.set("db.query.text", sql)
                result = _client().query(sql, parameters=parameters, settings={"max_execution_time": 10})
        except (ClickHouseError, OSError) as error:
            _local.client = None
            raise UnableToQuery(type(error).__name__) from error
        return list(result.named_results())


def forget_organization(table: str, organization_id: str) -> None:
    """Returns when the rows are gone, also from what the engine still merges."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    if not organization_id:
        raise ValueError(f"forgetting rows of {table} needs an organization")
    try:
        _client().command(
            f"ALTER TABLE {table} DELETE WHERE organization_id = {{organization_id:String}}",
            parameters={"organization_id": organization_id},
            settings={"mutations_sync": 2},
        )
    except (ClickHouseError, OSError) as error:
        _local.client = None
        raise UnableToQuery(type(error).__name__) from error


def rewrite_rows(query: Query, changes: dict[str, str]) -> None:
    """Puts a newer version of each row in place of the one the query finds; `changes` are expressions by column.

    For tables that keep one row for each id, the last received.
    """
    from clickhouse_connect.driver.exceptions import ClickHouseError

    said = ", ".join(f"{expression} AS {column}" for column, expression in changes.items())
    whole = replace(query, columns=(f"* REPLACE ({said}, now64(6, 'UTC') AS received_at)",))
    parameters = {**query.parameters, "organization_id": query.organization_id}
    try:
        _client().command(f"INSERT INTO {query.table}\n{whole.sql()}", parameters=parameters)
    except (ClickHouseError, OSError) as error:
        _local.client = None
        raise UnableToQuery(type(error).__name__) from error


def _client() -> Any:
    from brokle.engines.clickhouse_url import connect
    from brokle.settings.env import env

    client = getattr(_local, "client", None)
    if client is None:
        client = _local.client = connect(env.text("CLICKHOUSE_URL"), connect_timeout=3, send_receive_timeout=15)
    return client
