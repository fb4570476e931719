"""chDB behind a small typed door. One engine per process and data folder; one chDB connection is one session."""

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from brokle.engines.clickhouse import configuration
from brokle.engines.clickhouse.errors import UNKNOWN_SETTING, from_engine, refusal
from brokle.engines.layout import write_private
from brokle.kernel.locks import FileLock

DATABASE = "brokle"
DEFAULT_DATABASE = "default"


class UnableToOpenEngine(Exception):
    pass


@dataclass(slots=True)
class Progress:
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Session:
    """One chDB connection: its current database, settings and temporary tables. Not for two threads at once."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def use(self, database: str) -> None:
        self.run(f"USE {identifier(database)}")

    def set(self, values: Mapping[str, str]) -> None:
        for name in values:
            if not name.isidentifier() or not name.isascii():
                raise refusal(UNKNOWN_SETTING, "UNKNOWN_SETTING", f"Unknown setting '{name}'.")
        if values:
            self.run("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in values.items()))

    def unset(self, names: Iterable[str]) -> None:
        if names:
            self.run("SET " + ", ".join(f"{name} = DEFAULT" for name in names))

    def run(self, sql: str) -> bytes:
        return self.query(sql, "TabSeparated", {}, Progress())

    def query(self, sql: str, output_format: str, params: Mapping[str, str], progress: Progress) -> bytes:
        """Runs to the end and returns the whole answer."""
        try:
            result = self._connection.query(_wire(sql), output_format, params=dict(params))
            progress.read_rows += result.storage_rows_read()
            progress.read_bytes += result.storage_bytes_read()
            progress.written_rows += result.rows_written()
            progress.written_bytes += result.bytes_written()
            progress.result_rows += result.rows_read()
            return bytes(result.bytes())
        except RuntimeError as error:
            raise from_engine(error) from None

    def stream(self, sql: str, output_format: str, params: Mapping[str, str], progress: Progress) -> Iterator[bytes]:
        """Runs block by block; every piece is one block in the format. Closing the iterator cancels the query."""
        try:
            handle = self._connection.send_query(_wire(sql), output_format, params=dict(params))
        except RuntimeError as error:
            raise from_engine(error) from None
        finished = False
        try:
            while True:
                chunk = self._connection.streaming_fetch_result(handle)
                progress.read_rows += chunk.storage_rows_read()
                progress.read_bytes += chunk.storage_bytes_read()
                if chunk.rows_read() == 0:
                    finished = True
                    return
                progress.result_rows += chunk.rows_read()
                yield chunk.bytes()
        except RuntimeError as error:
            finished = True
            raise from_engine(error) from None
        finally:
            if not finished:
                self._connection.streaming_cancel_query(handle)

    def insert(self, sql: str, input_format: str, pieces: Iterator[bytes], progress: Progress) -> None:
        """Feeds `pieces` to an INSERT as they come. Nothing is stored unless the last piece was reached."""
        try:
            handle = self._connection.send_insert(_wire(sql), input_format)
        except RuntimeError as error:
            raise from_engine(error) from None
        try:
            for piece in pieces:
                if piece:
                    self._connection.insert_append(handle, piece)
            result = self._connection.insert_done(handle)
        except RuntimeError as error:
            raise from_engine(error) from None
        except BaseException:
            self._connection.insert_cancel(handle)
            raise
        progress.written_rows += result.rows_written()
        progress.written_bytes += result.bytes_written()
        progress.read_rows += result.rows_written()
        progress.read_bytes += result.bytes_written()

    def only_reads(self, sql: str) -> bool:
        return bool(self._connection.classify_query(_wire(sql))["query_class"].name == "READ_ONLY")

    def normalize(self, sql: str) -> str:
        """The statement as the engine's parser understood it, on one line."""
        answer = self.query("SELECT formatQuerySingleLine({sql:String})", "TSVRaw", {"sql": _escaped(sql)}, Progress())
        return answer.decode("utf-8", "surrogateescape")


def _wire(sql: str) -> bytes:
    return sql.encode("utf-8", "surrogateescape")


def _escaped(text: str) -> str:
    """Query parameters travel in TabSeparated's escaping."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").encode("utf-8", "replace").decode()


class Engine:
    """The data folder's owner. Opening takes an exclusive lock, so a second process fails in one clear line."""

    def __init__(self, path: Path, limits: configuration.Limits) -> None:
        self.path = path
        self.version = ""
        self._limits = limits
        self._lock = FileLock(path / "lock")
        self._keeper: Any = None
        self._module: Any = None
        self._address = ""

    def open(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._lock.acquire():
            raise UnableToOpenEngine(f"another process already serves {self.path}; stop it first")
        for name in ("tmp", "user_files", "user_scripts", "format_schemas"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        config = configuration.write(self.path, self._limits)
        self._plant_default_database()
        os.chdir(self.path / "tmp")  # the engine would read a config.xml of the working directory
        # Imported here, for it takes 0.2 to 0.7 s and maps half a gigabyte; past its __init__ lies the C connection
        # that streams inserts and classifies statements, which chdb.connect() hides.
        _chdb: Any = import_module("chdb._chdb")
        _chdb.set_signal_handlers_enabled(False)
        self._module = _chdb
        self._address = f"{self.path / 'data'}?config-file={config}"
        try:
            self._keeper = _chdb.connect(self._address)
        except RuntimeError as error:
            raise UnableToOpenEngine(f"the ClickHouse engine cannot open {self.path}: {from_engine(error)}") from None
        self._prepare()

    def session(self) -> Session:
        try:
            return Session(self._module.connect(self._address))
        except RuntimeError as error:
            raise from_engine(error) from None

    def close(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        self._lock.release()

    def _plant_default_database(self) -> None:
        """Every chDB connection begins in `default`, which must be there before the first one."""
        metadata = self.path / "data" / "metadata"
        planted = metadata / f"{DEFAULT_DATABASE}.sql"
        if not planted.exists():
            metadata.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(planted, f"ATTACH DATABASE _ UUID '{uuid.uuid4()}'\nENGINE = Atomic\n")
        # The overlay would take over whatever this link leads to; the engine makes the link anew when it loads.
        (metadata / DEFAULT_DATABASE).unlink(missing_ok=True)

    def _prepare(self) -> None:
        session = Session(self._keeper)
        session.run(f"DETACH DATABASE {configuration.OVERLAY_DATABASE}")
        session.run(f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic")
        self.version = session.run("SELECT version()").decode().strip()
