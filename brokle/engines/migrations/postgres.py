"""PostgreSQL through Django's own executor: one linear plan, one at a time, with marks of what failed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from brokle.engines.migrations.ledger import Direction, Entry, Step, UnableToMigrate, one_line, refuse_dirty

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.migration import Migration

# Any number, the same in every process: who holds it migrates, the others wait.
_ADVISORY_LOCK: Final = 7_266_553_001
_WAIT_MINUTES: Final = 10
_MARKS = """
CREATE TABLE IF NOT EXISTS migration_mark
(
    version text PRIMARY KEY,
    error text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
)
"""


class PostgresMigrator:
    """Needs Django to be set up. Marks live outside the migrations' transactions, else a rollback would erase them."""

    database = "postgres"

    def __init__(self, *, lock_timeout_ms: int = 3000, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock_timeout_ms = lock_timeout_ms
        self._clock = clock

    @contextmanager
    def exclusively(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """One process migrates at a time; another one waits, and then finds nothing left to do."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK])
            if not cursor.fetchone()[0]:
                on_wait()
                cursor.execute(f"SET lock_timeout = '{_WAIT_MINUTES}min'")
                cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
            cursor.execute(f"SET lock_timeout = {self._lock_timeout_ms}")
        try:
            yield
        finally:
            if self._connection.connection is not None and not self._connection.connection.closed:
                with self._connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])

    def status(self) -> list[Entry]:
        applied, marks = self._applied_at(), self._marks()
        return [self._entry(migration, applied, marks) for migration in _linear(self._executor())]

    def plan_up(self, steps: int | None, *, with_sql: bool = False) -> list[Step]:
        executor = self._executor()
        return [self._step(executor, migration, "up", with_sql) for migration in self._pending(executor)[:steps]]

    def plan_down(self, steps: int | None, *, with_sql: bool = False) -> list[Step]:
        executor = self._executor()
        return [self._step(executor, migration, "down", with_sql) for migration in self._undoable(executor)[:steps]]

    def up(self, steps: int | None) -> Iterator[Step]:
        """Runs what is pending, with Django's signals around it, which make content types and permissions."""
        from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal

        refuse_dirty(self.status())
        executor = self._executor()
        pending = self._pending(executor)
        if not pending:
            return
        plan = [(migration, False) for migration in pending[:steps]]
        alias = self._connection.alias
        state = executor.migrate(None, plan=[])
        emit_pre_migrate_signal(0, interactive=False, db=alias, apps=state.apps, plan=plan)
        for migration, _ in plan:
            with self._watched(migration):
                began = self._clock()
                state = executor.migrate(None, plan=[(migration, False)], state=state)
            yield self._done(migration, "up", began)
        if len(plan) == len(pending):
            emit_post_migrate_signal(0, interactive=False, db=alias, plan=plan)

    def down(self, steps: int | None) -> Iterator[Step]:
        left = steps
        for mark in sorted(set(self._marks()) - set(self._applied_at())):
            # What failed was rolled back, so there is nothing of it to undo but the mark.
            if left == 0:
                return
            self._clear_mark(mark)
            left = None if left is None else left - 1
            yield Step(self.database, mark, mark.partition(".")[2], "down")
        executor = self._executor()
        for migration in self._undoable(executor)[:left]:
            with self._watched(migration):
                began = self._clock()
                self._executor().migrate(None, plan=[(migration, True)])
            yield self._done(migration, "down", began)

    def force(self, version: str, *, applied: bool | None) -> Entry:
        """Clears the mark. What its transaction undid is left to run again; anything else counts as applied."""
        executor = self._executor()
        migration = executor.loader.graph.nodes.get(_key(version))
        if migration is None:
            raise UnableToMigrate(f"there is no postgres migration {version}; `brokle migrate status` lists them")
        if applied is None:
            applied = not migration.atomic or version in self._applied_at()
        self._clear_mark(version)
        if applied:
            executor.recorder.record_applied(migration.app_label, migration.name)
        else:
            executor.recorder.record_unapplied(migration.app_label, migration.name)
        return self._entry(migration, self._applied_at(), self._marks())

    def drop(self) -> list[str]:
        """Removes every table of the schema; extensions stay."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS "
                "(SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname"
            )
            names = [row[0] for row in cursor.fetchall()]
            if names:
                quoted = ", ".join(self._connection.ops.quote_name(name) for name in names)
                cursor.execute(f"DROP TABLE IF EXISTS {quoted} CASCADE")
        return names

    def create(self, name: str, app: str) -> list[Path]:
        """Scaffolds from the changes of the app's models, or an empty migration when there are none."""
        from django.apps import apps
        from django.conf import settings
        from django.core.management import call_command
        from django.core.management.base import CommandError

        if app not in {config.label for config in apps.get_app_configs()}:
            raise UnableToMigrate(f"there is no app {app!r}")
        folder = Path(apps.get_app_config(app).path) / "migrations"
        module = settings.MIGRATION_MODULES.get(app)
        if module:
            folder = Path(next(iter(import_module(module).__path__)))
        before = set(folder.glob("*.py"))
        try:
            call_command("makemigrations", app, name=name, verbosity=0, interactive=False)
            if set(folder.glob("*.py")) == before:
                call_command("makemigrations", app, name=name, empty=True, verbosity=0, interactive=False)
        except (CommandError, OSError) as error:
            raise UnableToMigrate(one_line(error)) from None
        return sorted(set(folder.glob("*.py")) - before)

    @property
    def _connection(self) -> "BaseDatabaseWrapper":
        from django.db import OperationalError, connections

        connection: BaseDatabaseWrapper = connections["default"]
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise UnableToMigrate(f"PostgreSQL cannot be reached: {one_line(error, 200)}; check DATABASE_URL") from None
        return connection

    def _executor(self) -> "MigrationExecutor":
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(self._connection)
        executor.loader.check_consistent_history(self._connection)
        conflicts = executor.loader.detect_conflicts()
        if conflicts:
            names = "; ".join(f"{app}: {', '.join(sorted(found))}" for app, found in sorted(conflicts.items()))
            raise UnableToMigrate(f"several migrations end the same app ({names}); renumber one of them")
        return executor

    def _pending(self, executor: "MigrationExecutor") -> list["Migration"]:
        return [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]

    def _undoable(self, executor: "MigrationExecutor") -> list["Migration"]:
        applied = executor.loader.applied_migrations
        return [m for m in reversed(_linear(executor)) if (m.app_label, m.name) in applied]

    @contextmanager
    def _watched(self, migration: "Migration") -> Iterator[None]:
        """A failure leaves a mark; a lock that did not come in time changed nothing and leaves none."""
        version = _version(migration)
        if not migration.atomic:
            self._mark(version, "was interrupted")
        try:
            yield
        except Exception as error:
            if _is_lock_timeout(error):
                self._clear_mark(version)
                raise UnableToMigrate(
                    f"postgres {version} did not get its lock within {self._lock_timeout_ms} ms, others use the table; "
                    "nothing was changed; run `brokle migrate up` again"
                ) from None
            failure = one_line(error)
            self._mark(version, failure)
            raise UnableToMigrate(f"postgres {version} failed: {failure}; {_mend(migration)}") from error
        self._clear_mark(version)

    def _done(self, migration: "Migration", direction: Direction, began: float) -> Step:
        return Step(self.database, _version(migration), migration.name, direction, seconds=self._clock() - began)

    def _step(
        self,
        executor: "MigrationExecutor",
        migration: "Migration",
        direction: Direction,
        with_sql: bool,
    ) -> Step:
        lines = executor.loader.collect_sql([(migration, direction == "down")]) if with_sql else []
        return Step(self.database, _version(migration), migration.name, direction, tuple(lines))

    def _entry(
        self, migration: "Migration", applied: dict[str, datetime], marks: dict[str, tuple[str, datetime]]
    ) -> Entry:
        version = _version(migration)
        if version in marks:
            error, at = marks[version]
            return Entry(self.database, version, migration.name, "dirty", at, error, _mend(migration))
        if version in applied:
            return Entry(self.database, version, migration.name, "applied", applied[version])
        return Entry(self.database, version, migration.name, "pending")

    def _applied_at(self) -> dict[str, datetime]:
        from django.db.migrations.recorder import MigrationRecorder

        recorder = MigrationRecorder(self._connection)
        if not recorder.has_table():
            return {}
        return {f"{row.app}.{row.name}": row.applied for row in recorder.migration_qs}

    def _marks(self) -> dict[str, tuple[str, datetime]]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('migration_mark') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return {}
            cursor.execute("SELECT version, error, at FROM migration_mark")
            return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}

    def _mark(self, version: str, error: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(_MARKS)
            cursor.execute(
                "INSERT INTO migration_mark (version, error) VALUES (%s, %s) "
                "ON CONFLICT (version) DO UPDATE SET error = excluded.error, at = now()",
                [version, error],
            )

    def _clear_mark(self, version: str) -> None:
        if version in self._marks():
            with self._connection.cursor() as cursor:
                cursor.execute("DELETE FROM migration_mark WHERE version = %s", [version])


def _linear(executor: "MigrationExecutor") -> list["Migration"]:
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    return [migration for migration, _ in plan]


def _version(migration: "Migration") -> str:
    return f"{migration.app_label}.{migration.name}"


def _key(version: str) -> tuple[str, str]:
    app, _, name = version.partition(".")
    return app, name


def _mend(migration: "Migration") -> str:
    version = _version(migration)
    if migration.atomic:
        return (
            f"nothing of it was kept: correct the migration, run `brokle migrate force {version} --db postgres`, "
            "then `brokle migrate up`"
        )
    return (
        f"put the tables in order by hand, then run `brokle migrate force {version} --db postgres` "
        "(with --pending to have it run again)"
    )


def _is_lock_timeout(error: BaseException) -> bool:
    from psycopg.errors import LockNotAvailable

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LockNotAvailable):
            return True
        cause = cause.__cause__
    return False
