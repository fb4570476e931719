"""Brings both databases to this version; what every start does, and `brokle migrate up` with progress."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import brokle
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.ledger import Migrator, Step
from brokle.engines.migrations.postgres import PostgresMigrator


def clickhouse_folder() -> Path:
    return brokle.HOUSE / "migrations" / "clickhouse"


def exclusively(migrators: list[Migrator], on_wait: Callable[[], None]) -> AbstractContextManager[None]:
    """One process at a time, for both databases, by PostgreSQL's lock; ClickHouse has none of its own."""
    for migrator in migrators:
        if isinstance(migrator, PostgresMigrator):
            return migrator.exclusively(on_wait)
    return nullcontext()


def bring_up_to_date(clickhouse_url: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[Step]:
    """Needs Django to be set up. Yields each migration as it is done; raises UnableToMigrate with the mend."""
    migrators: list[Migrator] = [PostgresMigrator(), ClickHouseMigrator(clickhouse_url, clickhouse_folder())]
    with exclusively(migrators, on_wait):
        for migrator in migrators:
            yield from migrator.up(None)
