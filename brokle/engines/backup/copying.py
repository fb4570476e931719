"""What goes into a backup, in the order that makes it consistent, and how it comes back.

Spool segments are copied first: a record delivered after that is in the databases, one not yet delivered is in the
copy, and one in both is stored once, for records carry ids. Uploads come after PostgreSQL, so every file a row names is
there.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import brokle
from brokle.engines.backup import clickhouse, passphrase, postgres, redis_keys
from brokle.engines.backup.archive import Manifest, Reader, UnableToReadBackup, Writer
from brokle.engines.layout import Layout, write_private
from brokle.engines.redis_url import broker_redis_url

_SECRET = "secret_key.sealed"  # noqa: S105 - a member's name
_POSTGRES = "postgres.dump"
_SPOOL, _UPLOADS, _ROWS = "spool/", "uploads/", "clickhouse/"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """The installation on one side of a copy."""

    layout: Layout
    urls: Mapping[str, str]

    @property
    def redis(self) -> dict[str, str]:
        state = self.urls["REDIS_URL"]
        broker = broker_redis_url(state)
        return {"state": state} if broker == state else {"state": state, "broker": broker}


def new_manifest(place: Place) -> Manifest:
    return Manifest(
        version=brokle.__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        engines={
            "postgres": postgres.server_version(place.urls["DATABASE_URL"]),
            "redis": redis_keys.server_version(place.urls["REDIS_URL"]),
            "clickhouse": clickhouse.server_version(place.urls["CLICKHOUSE_URL"]),
        },
    )


def back_up(place: Place, writer: Writer, *, secret: str, phrase: str, progress: Progress) -> None:
    progress("spool")
    _add_files(writer, place.layout.spool, _SPOOL)
    progress("postgres")
    dumped = writer.scratch / _POSTGRES
    postgres.dump(place.urls["DATABASE_URL"], dumped)
    writer.add(_POSTGRES, dumped)
    dumped.unlink()
    add_clickhouse(place, writer, progress)
    progress("redis")
    for name, url in place.redis.items():
        content, _ = redis_keys.export(url)
        writer.add_bytes(f"redis/{name}.msgpack", content)
    progress("files")
    _add_files(writer, place.layout.uploads, _UPLOADS)
    if phrase:
        writer.add_bytes(_SECRET, passphrase.seal(secret, phrase))


def add_clickhouse(place: Place, writer: Writer, progress: Progress) -> None:
    url = place.urls["CLICKHOUSE_URL"]
    for name, table in clickhouse.list_tables(url):
        progress(f"clickhouse {name}")
        if not table["is_view"]:
            rows = writer.scratch / "rows.gz"
            table["rows"] = clickhouse.dump_table(url, name, table["columns"], rows)
            writer.add(_rows_of(name), rows)
            rows.unlink()
        writer.manifest.tables[name] = table


def _add_files(writer: Writer, folder: Path, prefix: str) -> None:
    """A segment delivered while we look is gone, and then in the databases."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                writer.add(prefix + path.relative_to(folder).as_posix(), path)
            except FileNotFoundError:
                continue


def is_empty(place: Place) -> bool:
    return (
        postgres.is_empty(place.urls["DATABASE_URL"])
        and clickhouse.is_empty(place.urls["CLICKHOUSE_URL"])
        and not any(place.layout.uploads.iterdir())
    )


def open_secret(reader: Reader, phrase: str) -> str:
    """Empty when the backup holds none or no passphrase was given."""
    if not phrase:
        return ""
    if _SECRET not in reader.manifest.members:
        raise UnableToReadBackup("this backup holds no secret key; restore without --passphrase-file")
    return passphrase.unseal(reader.read(_SECRET), phrase)


def refuse_unfit(manifest: Manifest) -> None:
    """What cannot be brought back whole is not begun."""
    if _numbers(manifest.version) > _numbers(brokle.__version__) or manifest.format != 1:
        raise UnableToReadBackup(
            f"the backup is of Brokle {manifest.version}, newer than this {brokle.__version__}; upgrade first"
        )
    for needed in (_POSTGRES, *map(_rows_of, _filled(manifest.tables))):
        if needed not in manifest.members:
            raise UnableToReadBackup(f"the backup lacks {needed}; nothing was changed")


def restore(place: Place, reader: Reader, scratch: Path, *, secret: str, progress: Progress) -> None:
    progress("postgres")
    dumped = scratch / _POSTGRES
    reader.extract(_POSTGRES, dumped)
    postgres.restore(place.urls["DATABASE_URL"], dumped, scratch)
    restore_clickhouse(place, reader, progress)
    progress("redis")
    for name, url in place.redis.items():
        if f"redis/{name}.msgpack" in reader.manifest.members:
            redis_keys.restore(url, reader.read(f"redis/{name}.msgpack"))
    progress("files")
    for prefix, folder in ((_SPOOL, place.layout.spool), (_UPLOADS, place.layout.uploads)):
        _restore_files(reader, prefix, folder)
    # The edge's disk copy is of the former state; PostgreSQL compiles a new one at the next start.
    shutil.rmtree(place.layout.snapshot)
    place.layout.prepare()
    if secret:
        write_private(place.layout.secrets / "secret_key", secret)


def restore_clickhouse(place: Place, reader: Reader, progress: Progress) -> None:
    """Views come last: one that copies rows as they arrive would copy again what it copied before the backup."""
    url, tables = place.urls["CLICKHOUSE_URL"], reader.manifest.tables
    clickhouse.drop_tables(url)
    for name, table in _filled(tables).items():
        progress(f"clickhouse {name}")
        clickhouse.create_table(url, table["create"])
        with reader.open(_rows_of(name)) as rows:
            clickhouse.fill_table(url, name, table["columns"], rows)
    for table in tables.values():
        if table["is_view"]:
            clickhouse.create_table(url, table["create"])


def _filled(tables: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: table for name, table in tables.items() if not table["is_view"]}


def _rows_of(table: str) -> str:
    return f"{_ROWS}{table}.tsv.gz"


def _restore_files(reader: Reader, prefix: str, folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    for name in reader.names(prefix):
        target = folder / name.removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        reader.extract(name, target)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
