"""PostgreSQL: pg_dump's custom format out, one transaction in. The tools are those of the wheel, for any server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from brokle.engines.postgres import binaries
from brokle.settings.env import env

_DROP_ALL = """
DO $drop$ DECLARE found record; BEGIN
  FOR found IN SELECT c.oid::regclass AS name, c.relkind AS kind FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format(CASE found.kind WHEN 'v' THEN 'DROP VIEW IF EXISTS %s CASCADE'
      WHEN 'm' THEN 'DROP MATERIALIZED VIEW IF EXISTS %s CASCADE' ELSE 'DROP TABLE IF EXISTS %s CASCADE' END,
      found.name);
  END LOOP;
END $drop$;
"""
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class UnableToCopyPostgres(Exception):
    pass


def dump(url: str, target: Path) -> None:
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", "--schema=public", f"--file={target}")


def server_version(url: str) -> str:
    with _connected(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""


def is_empty(url: str) -> bool:
    with _connected(url) as connection:
        row = connection.execute(_TABLES).fetchone()
        return row is None or row[0] == 0


def restore(url: str, dumped: Path, scratch: Path) -> None:
    """The old tables go and the new ones come in one transaction, so a failure leaves what was there."""
    with _connected(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    listing = _run("pg_restore", "", "--list", str(dumped))
    wanted = [line for line in listing.splitlines() if " SCHEMA " not in line and " EXTENSION " not in line]
    chosen, script = scratch / "restore.list", scratch / "restore.sql"
    chosen.write_text("\n".join(wanted), encoding="utf-8")
    flags = ("--no-owner", "--no-privileges", f"--use-list={chosen}", f"--file={script}")
    _run("pg_restore", "", *flags, str(dumped))
    drop = scratch / "drop.sql"
    drop.write_text(_DROP_ALL, encoding="utf-8")
    _run(
        "psql",
        url,
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"),
        *(f"--file={drop}", f"--file={script}"),
    )


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnableToCopyPostgres(f"PostgreSQL: {reason[0]}") from error


def without_password(url: str) -> tuple[str, str]:
    """Arguments of a process are seen by everyone on the machine; the password goes by environment."""
    parts = conninfo_to_dict(url)
    password = str(parts.pop("password", None) or "")
    return make_conninfo("", **parts), password


def _run(tool: str, url: str, *arguments: str) -> str:
    address, password = without_password(url) if url else ("", "")
    environment = {name: value for name, value in env.for_child().items() if not name.startswith("PG")}
    command = [str(binaries() / tool), *arguments, *([f"--dbname={address}"] if url else [])]
    done = subprocess.run(
        command,
        env={**environment, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise UnableToCopyPostgres(f"{tool} failed: {lines[0] if lines else done.returncode}")
    return done.stdout
