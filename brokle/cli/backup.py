"""`brokle backup FILE` and `brokle restore FILE`."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from brokle.cli.local import JsonOption, UnableToRun, local_engines, one_line_errors, print_json, root_secret
from brokle.engines.backup.archive import Reader, UnableToReadBackup, reading, writing
from brokle.engines.backup.clickhouse import UnableToCopyClickHouse
from brokle.engines.backup.copying import Place, back_up, is_empty, new_manifest, open_secret, refuse_unfit
from brokle.engines.backup.copying import restore as restore_place
from brokle.engines.backup.passphrase import UnableToOpen
from brokle.engines.backup.postgres import UnableToCopyPostgres
from brokle.engines.backup.redis_keys import UnableToCopyRedis
from brokle.engines.fleet import running_instance
from brokle.engines.layout import Layout
from brokle.settings.env import env

FileArgument = Annotated[Path, typer.Argument(help="The backup.")]
PhraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Takes the secret key along, sealed under this passphrase.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Replace what is there.")]
_ERRORS = (
    *(UnableToReadBackup, UnableToCopyPostgres, UnableToCopyRedis, UnableToCopyClickHouse, UnableToOpen),
    OSError,
)


def backup(file: FileArgument, passphrase_file: PhraseOption = None, as_json: JsonOption = False) -> None:
    """Write everything an installation cannot rebuild into one file; Brokle may run meanwhile."""
    with one_line_errors(as_json, *_ERRORS), local_engines() as (layout, urls):
        target = file.expanduser().resolve()
        if not target.parent.is_dir():
            raise UnableToRun(f"there is no folder {target.parent}")
        place, phrase = Place(layout, urls), _phrase(passphrase_file)
        with writing(target, new_manifest(place)) as writer:
            back_up(place, writer, secret=root_secret(layout), phrase=phrase, progress=_progress(as_json))
        manifest = writer.manifest
        rows = {name: table.get("rows", 0) for name, table in manifest.tables.items()}
        if as_json:
            found = {"file": str(target), "bytes": target.stat().st_size, "engines": manifest.engines, "rows": rows}
            print_json({**found, "version": manifest.version, "has_secret_key": bool(phrase)})
            return
        print(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
        if not phrase:
            print(
                "The secret key is not in it. Keep "
                f"{layout.secrets / 'secret_key'} (or BROKLE_SECRET_KEY) too, or add --passphrase-file."
            )


def restore(
    file: FileArgument,
    passphrase_file: PhraseOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back, here or at the engines whose addresses are given; Brokle must be stopped."""
    with one_line_errors(as_json, *_ERRORS):
        layout = Layout.at(env.text("BROKLE_DATA_DIR"))
        if running_instance(layout) is not None:
            raise UnableToRun(f"Brokle runs on {layout.data_dir}; stop it, then restore")
        with reading(file.expanduser()) as reader:
            refuse_unfit(reader.manifest)
            secret = open_secret(reader, _phrase(passphrase_file))
            _restore(reader, secret, yes, as_json)


def _restore(reader: Reader, secret: str, yes: bool, as_json: bool) -> None:
    with local_engines() as (layout, urls):
        place = Place(layout, urls)
        if not yes and not is_empty(place):
            raise UnableToRun(f"{layout.data_dir} and its databases are not empty; say --yes to replace what is there")
        scratch = Path(tempfile.mkdtemp(prefix="restore-", dir=layout.data_dir))
        try:
            restore_place(place, reader, scratch, secret=secret, progress=_progress(as_json))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    manifest = reader.manifest
    if as_json:
        print_json({"version": manifest.version, "created_at": manifest.created_at, "members": len(manifest.members)})
        return
    print(f"restored the backup of {manifest.created_at}")
    if not secret:
        print("The secret key was not restored; Brokle starts only with the one the backup was made under.")


def _phrase(path: Path | None) -> str:
    if path is None:
        return ""
    phrase = path.expanduser().read_text(encoding="utf-8").strip()
    if len(phrase) < 8:
        raise UnableToRun(f"the passphrase in {path} has fewer than 8 characters")
    return phrase


def _progress(as_json: bool):  # noqa: ANN202 - a Progress
    def tell(what: str) -> None:
        if not as_json and sys.stderr.isatty():
            print(f"… {what}", file=sys.stderr)

    return tell
