"""What local commands share: the data dir's engines, JSON for programs, and one line with the mend for people."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from brokle.engines.fleet import UnableToFindEngines, engines_for
from brokle.engines.layout import Layout, UnableToUseDataDir
from brokle.engines.process import UnableToStart
from brokle.kernel.errors import BrokleError
from brokle.settings.env import env

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
URLS = ("DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL")
_OURS = (UnableToFindEngines, UnableToUseDataDir, UnableToStart, BrokleError)


class UnableToRun(Exception):
    """One line that says what is wrong and the mend."""


def print_json(content: Any) -> None:
    print(json.dumps(content, default=str, ensure_ascii=False))


@contextmanager
def one_line_errors(as_json: bool, *more: type[Exception]) -> Iterator[None]:
    try:
        yield
    except (UnableToRun, *_OURS, *more) as error:
        text = error.detail if isinstance(error, BrokleError) else str(error)
        if as_json:
            print_json({"error": text})
        print(f"brokle: {text}", file=sys.stderr)
        raise typer.Exit(1) from None


@contextmanager
def local_engines() -> Iterator[tuple[Layout, Mapping[str, str]]]:
    """The data dir, and where each engine is: as given, of the running Brokle, or started for this command."""
    layout = Layout.at(env.text("BROKLE_DATA_DIR"))
    given = {name: env.text(name) for name in URLS if env.given(name)}
    if len(given) == len(URLS):
        layout.prepare()
        yield layout, given
        return
    with engines_for(layout, env) as found:
        yield layout, {**given, **found}


def root_secret(layout: Layout) -> str:
    return env.text("BROKLE_SECRET_KEY") or layout.secret("secret_key")


@contextmanager
def django_here(as_json: bool) -> Iterator[None]:
    """Django is ready inside; without addresses of the engines the command runs again in a process that has them."""
    if all(env.given(name) for name in (*URLS, "BROKLE_SECRET_KEY")):
        from brokle.cli.django_setup import ready

        with one_line_errors(as_json):
            ready()
            with _database_errors():
                yield
        return
    with one_line_errors(as_json), local_engines() as (layout, urls):
        child = env.for_child(**urls, BROKLE_SECRET_KEY=root_secret(layout), BROKLE_DATA_DIR=str(layout.data_dir))
        done = subprocess.run([sys.executable, "-m", "brokle", *sys.argv[1:]], env=child, check=False)
        raise typer.Exit(done.returncode)


@contextmanager
def _database_errors() -> Iterator[None]:
    from django.db import OperationalError, ProgrammingError

    try:
        yield
    except ProgrammingError:
        raise UnableToRun("the database has no tables of this version; run `brokle migrate up`") from None
    except OperationalError as error:
        reason = str(error).strip().splitlines()
        raise UnableToRun(f"PostgreSQL does not answer ({reason[0] if reason else 'no reason'})") from None
