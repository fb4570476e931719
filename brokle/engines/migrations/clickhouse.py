"""ClickHouse: numbered pairs of SQL files, a ledger table beside the data they made.

ClickHouse has no transactions, so a migration is written to be said twice (IF NOT EXISTS, IF EXISTS) and expands
before it contracts. A failed statement leaves its version dirty; an interrupted one is simply run again.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from brokle.engines.clickhouse_url import connect
from brokle.engines.migrations.ledger import Direction, Entry, Step, UnableToMigrate, one_line, refuse_dirty
from brokle.engines.migrations.sql import split

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Recorded = Literal["applied", "dirty", "running", "reverted"]

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql")
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version String,
    name String,
    checksum String,
    state LowCardinality(String),
    at DateTime64(6, 'UTC'),
    error String
)
ENGINE = ReplacingMergeTree(at)
ORDER BY version
"""
_TEMPLATE = {
    "up": "-- Say it so that it can be said twice: IF NOT EXISTS. Expand now, contract in a later release.\n",
    "down": "-- Undo the up file, from its end: IF EXISTS.\n",
}


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    name: str
    up: str
    down: str

    @property
    def title(self) -> str:
        return f"{self.version}_{self.name}"

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.encode()).hexdigest()

    def statements(self, direction: Direction) -> tuple[str, ...]:
        return tuple(split(self.up if direction == "up" else self.down))


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    checksum: str
    state: Recorded
    at: datetime
    error: str


def read_folder(folder: Path) -> list[Migration]:
    """Every pair of the folder in order; a file without its pair or with a taken number is refused."""
    files: dict[str, dict[str, tuple[str, str]]] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise UnableToMigrate(f"{path.name} is not named like 0001_name.up.sql; rename it")
        files.setdefault(match["version"], {}).setdefault(match["direction"], (match["name"], path.read_text("utf-8")))
    found = []
    for version, pair in sorted(files.items()):
        names = {name for name, _ in pair.values()}
        count = len(list(folder.glob(f"{version}_*.sql")))
        if set(pair) != {"up", "down"} or len(names) != 1 or count != 2:
            raise UnableToMigrate(
                f"clickhouse migration {version} must be one .up.sql and one .down.sql of the same name"
            )
        found.append(Migration(version, names.pop(), pair["up"][1], pair["down"][1]))
    return found


class ClickHouseMigrator:
    database = "clickhouse"

    def __init__(self, url: str, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._folder = folder
        self._clock = clock
        self._connected: Client | None = None

    @property
    def _client(self) -> "Client":
        if self._connected is None:
            from clickhouse_connect.driver.exceptions import Error

            try:
                self._connected = connect(self._url, show_clickhouse_errors="scrub")
            except Error as error:
                raise UnableToMigrate(
                    f"ClickHouse cannot be reached: {one_line(error, 200)}; check CLICKHOUSE_URL"
                ) from None
        return self._connected

    def status(self) -> list[Entry]:
        records = self._records()
        migrations = read_folder(self._folder)
        known = {migration.version for migration in migrations}
        entries = [self._entry(migration, records.get(migration.version)) for migration in migrations]
        for version, record in records.items():
            if version not in known and record.state != "reverted":
                title = f"{version}_{record.name}"
                entries.append(
                    Entry(self.database, title, record.name, "applied", record.at, note="its files are missing here")
                )
        return sorted(entries, key=lambda entry: entry.version)

    def plan_up(self, steps: int | None, *, with_sql: bool = False) -> list[Step]:
        pending = {entry.version for entry in self.status() if entry.state == "pending"}
        wanted = [migration for migration in read_folder(self._folder) if migration.title in pending]
        return [self._step(migration, "up") for migration in wanted[:steps]]

    def plan_down(self, steps: int | None, *, with_sql: bool = False) -> list[Step]:
        done = {entry.version for entry in self.status() if entry.state != "pending"}
        wanted = [migration for migration in reversed(read_folder(self._folder)) if migration.title in done]
        return [self._step(migration, "down") for migration in wanted[:steps]]

    def up(self, steps: int | None) -> Iterator[Step]:
        refuse_dirty(self.status())
        for step in self.plan_up(steps):
            yield self._run(step)

    def down(self, steps: int | None) -> Iterator[Step]:
        for step in self.plan_down(steps):
            yield self._run(step)

    def force(self, version: str, *, applied: bool | None) -> Entry:
        migration = self._find(version)
        self._record(migration, "reverted" if applied is False else "applied")
        return self._entry(migration, self._records()[migration.version])

    def drop(self) -> list[str]:
        """Removes every table of the database, the ledger too."""
        rows = self._client.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND NOT is_temporary "
            "ORDER BY engine LIKE '%View' DESC, name"
        ).result_rows
        names = [str(row[0]) for row in rows]
        for name in names:
            self._client.command(f"DROP TABLE IF EXISTS {_quoted(name)} SYNC")
        return names

    def create(self, name: str) -> list[Path]:
        """Writes the next pair of files."""
        migrations = read_folder(self._folder)
        number = int(migrations[-1].version) + 1 if migrations else 1
        paths = [self._folder / f"{number:04d}_{name}.{direction}.sql" for direction in ("up", "down")]
        if not all(_FILE.fullmatch(path.name) for path in paths):
            raise UnableToMigrate(f"a migration's name is lower case words joined by _, not {name!r}")
        for path, direction in zip(paths, ("up", "down"), strict=True):
            path.write_text(_TEMPLATE[direction], encoding="utf-8")
        return paths

    def _run(self, step: Step) -> Step:
        from clickhouse_connect.driver.exceptions import Error

        migration = self._find(step.version)
        began = self._clock()
        if step.direction == "up":
            self._record(migration, "running")
        for number, statement in enumerate(step.statements, start=1):
            try:
                self._client.command(statement)
            except Error as error:
                failure = f"statement {number} of {len(step.statements)} of {step.direction}: {one_line(error, 300)}"
                self._record(migration, "dirty", failure)
                raise UnableToMigrate(
                    f"clickhouse {migration.title} failed at {failure}; {self._mend(migration)}"
                ) from None
        self._record(migration, "applied" if step.direction == "up" else "reverted")
        return Step(step.database, step.version, step.name, step.direction, step.statements, self._clock() - began)

    def _step(self, migration: Migration, direction: Direction) -> Step:
        return Step(self.database, migration.title, migration.name, direction, migration.statements(direction))

    def _entry(self, migration: Migration, record: Record | None) -> Entry:
        if record is None or record.state == "reverted":
            return Entry(self.database, migration.title, migration.name, "pending")
        if record.state == "running":
            return Entry(
                self.database,
                migration.title,
                migration.name,
                "pending",
                record.at,
                note="was interrupted; up runs it again",
            )
        note = "its file was changed after it was applied" if record.checksum != migration.checksum else ""
        if record.state == "applied":
            return Entry(self.database, migration.title, migration.name, "applied", record.at, note=note)
        mend = self._mend(migration)
        return Entry(self.database, migration.title, migration.name, "dirty", record.at, record.error, mend, note)

    def _mend(self, migration: Migration) -> str:
        return (
            f"mend it by hand and run `brokle migrate force {migration.title} --db clickhouse`, "
            "or undo it with `brokle migrate down --db clickhouse`"
        )

    def _find(self, version: str) -> Migration:
        for migration in read_folder(self._folder):
            if version in (migration.version, migration.title):
                return migration
        raise UnableToMigrate(f"there is no clickhouse migration {version}; `brokle migrate status` lists them")

    def _records(self) -> dict[str, Record]:
        self._client.command(_LEDGER)
        rows = self._client.query(
            "SELECT version, name, checksum, state, at, error FROM schema_migrations FINAL ORDER BY version"
        ).result_rows
        return {row[0]: Record(row[1], row[2], row[3], row[4].replace(tzinfo=UTC), row[5]) for row in rows}

    def _record(self, migration: Migration, state: Recorded, error: str = "") -> None:
        # Not client.insert(): that imports pandas, which costs a start more than the migration itself.
        self._client.command(
            "INSERT INTO schema_migrations (version, name, checksum, state, at, error) "
            "SELECT {version:String}, {name:String}, {checksum:String}, {state:String}, now64(6), {error:String}",
            parameters={
                "version": migration.version,
                "name": migration.name,
                "checksum": migration.checksum,
                "state": state,
                "error": error,
            },
        )


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
