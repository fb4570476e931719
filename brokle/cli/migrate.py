"""`brokle migrate`: both databases, one way of saying it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from brokle.engines.migrations.ledger import Entry, Migrator, Step, UnableToMigrate
from brokle.settings.env import env

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Bring the databases up to this version, or back.")

Database = Literal["postgres", "clickhouse", "all"]
DatabaseOption = Annotated[Database, typer.Option("--db", help="Which database.")]
StepsOption = Annotated[int | None, typer.Option("--steps", min=1, help="How many migrations, in each database.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the SQL and change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_URLS = {"postgres": "DATABASE_URL", "clickhouse": "CLICKHOUSE_URL"}
_SIGNS = {"applied": "[green]✓ applied[/]", "pending": "[yellow]… pending[/]", "dirty": "[red]✗ dirty[/]"}
_out = Console(highlight=False, soft_wrap=True)


@app.command()
def up(
    db: DatabaseOption = "all",
    steps: StepsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Apply what is pending."""
    with _migrators(db, as_json) as migrators:
        if dry_run:
            _print_plan([step for m in migrators for step in m.plan_up(steps, with_sql=True)], as_json)
            return
        with _exclusively(migrators):
            _run((step for m in migrators for step in m.up(steps)), as_json)


@app.command()
def down(
    db: DatabaseOption = "all",
    steps: StepsOption = 1,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Undo the last migrations."""
    with _migrators(db, as_json) as migrators:
        if dry_run:
            _print_plan([step for m in migrators for step in m.plan_down(steps, with_sql=True)], as_json)
            return
        plan = [step for m in migrators for step in m.plan_down(steps)]
        _confirm(yes, "Undo " + (", ".join(f"{step.database} {step.version}" for step in plan) or "dirty marks"))
        with _exclusively(migrators):
            _run((step for m in migrators for step in m.down(steps)), as_json)


@app.command()
def status(db: DatabaseOption = "all", as_json: JsonOption = False) -> None:
    """Tell what is applied, pending and dirty."""
    with _migrators(db, as_json) as migrators:
        entries = [entry for migrator in migrators for entry in migrator.status()]
        if as_json:
            _print_json({"migrations": [asdict(entry) for entry in entries]})
            return
        _print_status(entries)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it does, in lower case words joined by _.")],
    db: DatabaseOption = "all",
    in_app: Annotated[str, typer.Option("--app", help="For postgres: the app whose models changed.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write a new migration's files."""
    with _errors(as_json):
        if db == "all" or (db == "postgres" and not in_app):
            raise UnableToMigrate("say which: --db clickhouse, or --db postgres --app orgs")
    with _migrators(db, as_json) as migrators:
        paths = _create(migrators[0], name, in_app)
        if as_json:
            _print_json({"files": [str(path) for path in paths]})
            return
        for path in paths:
            _out.print(f"wrote {path}")


@app.command()
def force(
    version: Annotated[str, typer.Argument(help="As `status` shows it: 0002_request_logs or orgs.0001_initial.")],
    db: DatabaseOption = "all",
    applied: Annotated[
        bool | None, typer.Option("--applied/--pending", help="Count it as applied, or have it run again.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Clear a dirty mark after the mend, without running anything."""
    chosen: Database = db if db != "all" else "postgres" if "." in version else "clickhouse"
    with _migrators(chosen, as_json) as migrators, _exclusively(migrators):
        entry = migrators[0].force(version, applied=applied)
        if as_json:
            _print_json({"migrations": [asdict(entry)]})
            return
        _out.print(f"{entry.database} {entry.version} is now {entry.state}")


@app.command()
def reset(db: DatabaseOption = "all", yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Drop everything and apply all migrations anew."""
    with _migrators(db, as_json) as migrators:
        _confirm(yes, f"Drop everything in {_names(migrators)} and begin anew")
        with _exclusively(migrators):
            for migrator in migrators:
                migrator.drop()
            _run((step for m in migrators for step in m.up(None)), as_json)


@app.command()
def drop(db: DatabaseOption = "all", yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Drop every table."""
    with _migrators(db, as_json) as migrators:
        _confirm(yes, f"Drop every table in {_names(migrators)}")
        with _exclusively(migrators):
            dropped = {migrator.database: migrator.drop() for migrator in migrators}
        if as_json:
            _print_json({"dropped": dropped})
            return
        for database, tables in dropped.items():
            _out.print(f"{database}: {len(tables)} tables dropped")


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    try:
        yield
    except UnableToMigrate as error:
        if as_json:
            _print_json({"error": str(error)})
        print(f"brokle: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


@contextmanager
def _migrators(db: Database, as_json: bool) -> Iterator[list[Migrator]]:
    """The chosen databases, at their addresses or at the local data dir's engines."""
    wanted = [name for name in _URLS if db in (name, "all")]
    needed = [_URLS[name] for name in wanted] + (["BROKLE_SECRET_KEY"] if "postgres" in wanted else [])
    if not all(env.given(name) for name in needed):
        raise typer.Exit(_again_beside_engines(as_json))
    with _errors(as_json):
        yield [_migrator(name) for name in wanted]


def _migrator(name: str) -> Migrator:
    from brokle.engines.migrations.upgrade import clickhouse_folder

    if name == "clickhouse":
        from brokle.engines.migrations.clickhouse import ClickHouseMigrator

        return ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder())
    from brokle.cli.django_setup import ready
    from brokle.engines.migrations.postgres import PostgresMigrator

    ready()
    return PostgresMigrator()


def _again_beside_engines(as_json: bool) -> int:
    """Runs this same command once more with the local engines' addresses in its environment."""
    from brokle.engines.fleet import UnableToFindEngines, engines_for
    from brokle.engines.layout import Layout, UnableToUseDataDir
    from brokle.engines.process import UnableToStart

    layout = Layout.at(env.text("BROKLE_DATA_DIR"))
    with _errors(as_json):
        try:
            with engines_for(layout, env) as urls:
                secret = env.text("BROKLE_SECRET_KEY") or layout.secret("secret_key")
                child_environment = env.for_child(**urls, BROKLE_SECRET_KEY=secret)
                command = [sys.executable, "-m", "brokle", *sys.argv[1:]]
                return subprocess.run(command, env=child_environment, check=False).returncode
        except (UnableToFindEngines, UnableToUseDataDir, UnableToStart) as error:
            raise UnableToMigrate(str(error)) from None


@contextmanager
def _exclusively(migrators: list[Migrator]) -> Iterator[None]:
    from brokle.engines.migrations.upgrade import exclusively

    with exclusively(migrators, lambda: print("brokle: another migration runs; waiting for it", file=sys.stderr)):
        yield


def _create(migrator: Migrator, name: str, in_app: str) -> list[Path]:
    from brokle.engines.migrations.clickhouse import ClickHouseMigrator
    from brokle.engines.migrations.postgres import PostgresMigrator

    if isinstance(migrator, ClickHouseMigrator):
        return migrator.create(name)
    if isinstance(migrator, PostgresMigrator):
        return migrator.create(name, in_app)
    raise TypeError(type(migrator).__name__)


def _confirm(yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UnableToMigrate(f"{question}? Say --yes, for there is no terminal to ask on")
    if typer.prompt(f"{question}? Type yes to go on", default="no") != "yes":
        raise UnableToMigrate("nothing was changed")


def _run(steps: Iterator[Step], as_json: bool) -> None:
    done: list[Step] = []
    try:
        for step in steps:
            done.append(step)
            if not as_json:
                sign = "↑" if step.direction == "up" else "↓"
                _out.print(f"{sign} {step.database} {step.version} [dim]{step.seconds:.2f} s[/]")
    finally:
        if as_json and (done or sys.exc_info()[0] is None):
            _print_json({"steps": [_plain(step) for step in done]})
    if not done and not as_json:
        _out.print("nothing to do")


def _print_plan(steps: list[Step], as_json: bool) -> None:
    if as_json:
        _print_json({"plan": [_plain(step, with_sql=True) for step in steps]})
        return
    for step in steps:
        print(f"-- {step.database} {step.version} {step.direction}")
        for statement in step.statements:
            print(statement if statement.endswith(";") or statement.startswith("--") else f"{statement};")
    if not steps:
        print("-- nothing to do")


def _print_status(entries: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("database", "migration", "state", "at", "note"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        at = entry.at.strftime("%Y-%m-%d %H:%M:%S") if entry.at else ""
        note = ": ".join(part for part in (entry.error, entry.mend) if part) or entry.note
        table.add_row(entry.database, entry.version, _SIGNS[entry.state], at, note)
    _out.print(table)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, default=str, ensure_ascii=False))


def _plain(step: Step, *, with_sql: bool = False) -> dict[str, Any]:
    plain = asdict(step)
    if not with_sql:
        del plain["statements"]
    return plain


def _names(migrators: list[Migrator]) -> str:
    return " and ".join(migrator.database for migrator in migrators)
