"""`brokle import`: the configuration of another gateway as a `BROKLE_CONFIG` file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from apps.routing.services.import_litellm import import_litellm
from apps.routing.services.import_portkey import import_portkey
from apps.routing.services.imported import Imported, UnableToImport
from brokle.cli.local import JsonOption, UnableToRun, one_line_errors, print_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Bring the configuration of another gateway along.")

FileArgument = Annotated[Path, typer.Argument(help="The file to read.")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of printing.")]
_LARGEST = 16 * 1024 * 1024


@app.callback()
def import_() -> None:
    """Bring the configuration of another gateway along."""


@app.command()
def litellm(file: FileArgument, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Read LiteLLM's config.yaml and print a configuration file, with what could not be carried over."""
    with one_line_errors(as_json, UnableToImport):
        _give(import_litellm(_read(file)), out, as_json)


@app.command()
def portkey(
    file: FileArgument,
    out: OutOption = None,
    name: Annotated[str, typer.Option(help="Name of the route; the file's when not told.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Read a Portkey config in JSON and print a configuration file, with what could not be carried over."""
    with one_line_errors(as_json, UnableToImport):
        _give(import_portkey(_read(file), name=name or file.stem), out, as_json)


def _read(file: Path) -> Any:
    """JSON is YAML too."""
    try:
        if file.stat().st_size > _LARGEST:
            raise UnableToRun(f"{file} is larger than {_LARGEST} bytes")
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnableToRun(f"{file} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnableToRun(f"{file}{f':{mark.line + 1}' if mark else ''} is not valid YAML") from None


def _give(found: Imported, out: Path | None, as_json: bool) -> None:
    if out is not None:
        out.write_text(found.text(), encoding="utf-8")
        out.chmod(0o600)
    if as_json:
        print_json({"config": found.text(), "left_out": found.left_out})
        return
    if out is None:
        print(found.text(), end="")
        return
    count = f"{len(found.providers)} providers, {len(found.routes)} routes, {len(found.keys)} keys"
    print(f"{out}: {count}; start with BROKLE_CONFIG={out}")
    for line in found.left_out:
        print(f"not carried over: {line}", file=sys.stderr)
