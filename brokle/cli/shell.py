"""A prompt of an engine of the local installation, for developers."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import typer

from brokle.cli.local import UnableToRun, local_engines, one_line_errors
from brokle.engines.backup.postgres import without_password
from brokle.engines.postgres import binaries
from brokle.engines.redis_server import find_server
from brokle.settings.env import env

Engine = Literal["postgres", "redis", "clickhouse"]


def shell(engine: Annotated[Engine, typer.Argument(help="Which one.")]) -> None:
    """Open a prompt of an engine."""
    with one_line_errors(as_json=False), local_engines() as (_, urls):
        if engine == "postgres":
            code = _postgres(urls["DATABASE_URL"])
        elif engine == "redis":
            code = _redis(urls["REDIS_URL"])
        else:
            code = _clickhouse(urls["CLICKHOUSE_URL"])
        raise typer.Exit(code)


def _postgres(url: str) -> int:
    address, password = without_password(url)
    command = [str(binaries() / "psql"), f"--dbname={address}"]
    return subprocess.run(command, env=env.for_child(PGPASSWORD=password), check=False).returncode


def _redis(url: str) -> int:
    """redis-cli stands beside the server; the password goes by environment."""
    client = find_server().with_name("redis-cli")
    if not client.exists():
        client = Path(sys.executable).with_name("redis-cli")
    if not client.exists():
        raise UnableToRun("there is no redis-cli here; apt-get install redis-tools")
    parts = urlsplit(url)
    if parts.scheme == "unix":
        where = ["-s", unquote(parts.path)]
    else:
        where = ["-h", parts.hostname or "127.0.0.1", "-p", str(parts.port or 6379), "-n", parts.path.strip("/") or "0"]
        where += ["--tls"] if parts.scheme == "rediss" else []
    environment = env.for_child(REDISCLI_AUTH=unquote(parts.password or ""))
    return subprocess.run([str(client), *where], env=environment, check=False).returncode


def _clickhouse(url: str) -> int:
    """One statement a line, in a readable form; an empty line or Ctrl-D ends."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from brokle.engines.clickhouse_url import connect

    client = connect(url)
    for statement in _statements():
        try:
            print(_answer(client, statement))
        except ClickHouseError as error:
            print(f"✗ {str(error).splitlines()[0]}")
    return 0


def _statements() -> Any:
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() its history
    while True:
        try:
            line = input("clickhouse> " if sys.stdin.isatty() else "").strip().rstrip(";")
        except EOFError:
            return
        if not line:
            return
        yield line


def _answer(client: Any, statement: str) -> str:
    if statement.split(None, 1)[0].upper() in {"SELECT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "WITH", "EXISTS"}:
        found: bytes = client.raw_query(statement, fmt="PrettyCompactMonoBlock")
        return found.decode(errors="replace").rstrip()
    return str(client.command(statement))
