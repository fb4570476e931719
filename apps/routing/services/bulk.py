"""Thousands of rows of one table at once, by COPY: a row that is there is rewritten only where it differs."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection, models
from psycopg import sql

_INCOMING: Final = sql.Identifier("incoming_rows")


def put_rows(model: type[models.Model], rows: Iterable[models.Model], *, by: Sequence[str]) -> None:
    """Inside a transaction. `by` is what a row is known by; its key stays the one it had."""
    fields = model._meta.concrete_fields  # noqa: SLF001 - Django's own door to a model's fields
    columns = [field.column for field in fields]
    kept = [model._meta.get_field(name).column for name in by]  # noqa: SLF001 - as above
    table = sql.Identifier(model._meta.db_table)  # noqa: SLF001 - as above
    with connection.cursor() as cursor:
        named = sql.SQL(", ").join(map(sql.Identifier, columns))
        make = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
        cursor.execute(make.format(_INCOMING, named, table))
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_INCOMING, named)) as incoming:
            for row in rows:
                incoming.write_row([_value(field, row) for field in fields])
        cursor.execute(_merge(table, columns, kept))
        cursor.execute(sql.SQL("DROP TABLE {}").format(_INCOMING))


def _value(field: "models.Field[Any, Any]", row: models.Model) -> object:
    return field.get_db_prep_save(getattr(row, field.attname), connection)


def _merge(table: sql.Identifier, columns: list[str], kept: list[str]) -> sql.Composed:
    told = [sql.Identifier(column) for column in columns if column not in {"id", *kept}]
    comma = sql.SQL(", ")
    statement = sql.SQL(
        "INSERT INTO {table} AS held ({named}) SELECT {named} FROM {incoming} ON CONFLICT ({kept}) "
        "DO UPDATE SET {sets} WHERE ({held}) IS DISTINCT FROM ({new})"
    )
    return statement.format(
        table=table,
        named=comma.join(map(sql.Identifier, columns)),
        incoming=_INCOMING,
        kept=comma.join(map(sql.Identifier, kept)),
        sets=comma.join(sql.SQL("{0} = EXCLUDED.{0}").format(column) for column in told),
        held=comma.join(sql.SQL("held.{}").format(column) for column in told),
        new=comma.join(sql.SQL("EXCLUDED.{}").format(column) for column in told),
    )
