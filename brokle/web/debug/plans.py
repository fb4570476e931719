"""How PostgreSQL would run a slow statement: a generic plan, for its values were never kept."""

import re

from django.db import DatabaseError, connections, transaction

from brokle.web.queries import SlowQuery

_PLANNED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
_PLACEHOLDER = re.compile(r"%(?:s|\([^)]*\)s|%)")
_DEADLINE_MS = 5000


class UnableToExplain(Exception):
    pass


def numbered(sql: str) -> str:
    """Django's `%s` as the numbered ones of PostgreSQL."""
    count = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] == "%%":
            return "%"
        count += 1
        return f"${count}"

    return _PLACEHOLDER.sub(replace, sql)


def explain(query: SlowQuery) -> str:
    """Planned, never run: EXPLAIN without ANALYZE, read-only, within seconds (PostgreSQL 16 or newer)."""
    if query.sql.lstrip(" (").partition(" ")[0].upper() not in _PLANNED:
        raise UnableToExplain("only SELECT, INSERT, UPDATE and DELETE have plans")
    # Sent without parameters, PostgreSQL takes several statements at once: the first would be planned, the rest run.
    if ";" in query.sql.rstrip("; \n"):
        raise UnableToExplain("only one statement at a time has a plan")
    connection = connections[query.alias]
    try:
        with transaction.atomic(using=query.alias), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = {_DEADLINE_MS}")
            cursor.execute(f"EXPLAIN (GENERIC_PLAN, SETTINGS) {numbered(query.sql)}")
            return "\n".join(line for (line,) in cursor.fetchall())
    except DatabaseError as error:
        raise UnableToExplain(str(error).strip().splitlines()[0]) from error
