"""`BROKLE_CONFIG`: one YAML file, applied at start and whenever it changes. Rooms say what their sections hold."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml
from django.conf import settings
from django.db import connection, transaction

from brokle.kernel.errors import BrokleError, Invalid
from brokle.kernel.extensions import ConfigSection, config_sections
from brokle.settings.env import env

log = logging.getLogger("brokle.ground.configuration")

_LOCK: Final = 0x434F4E46
_PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([A-Za-z_][A-Za-z_0-9]*)|\[(\d+|\.\.\.)\]")
_LARGEST: Final = 4 * 1024 * 1024


class FromEnvironment(msgspec.Struct, forbid_unknown_fields=True):
    """A value that stands in the environment, so that the file can be kept with the code."""

    env: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)] | FromEnvironment


class UnableToConfigure(Exception):
    """Names the file, the line and the mend."""


def read_configuration(path: Path) -> dict[str, Any]:
    """Every section parsed into its room's own type; nothing is applied when anything is wrong."""
    root = _compose(path)
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise UnableToConfigure(f"{path}:{_line(root)}: the file must be a mapping of sections such as `providers:`")
    _refuse_doubles(path, root)
    known = {section.name: section for section in config_sections.collect()}
    found: dict[str, Any] = {}
    for key, node in root.value:
        section = known.get(key.value)
        if section is None:
            names = ", ".join(sorted(known))
            raise UnableToConfigure(f"{path}:{_line(key)}: unknown section `{key.value}`; known are {names}")
        found[section.name] = _converted(path, section, node)
    return found


def apply_configuration() -> None:
    """Idempotent: what the file no longer names goes, what people made stays."""
    if not settings.CONFIG:
        return
    path = Path(settings.CONFIG)
    parsed = read_configuration(path)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for section in config_sections.collect():
            try:
                section.apply(parsed.get(section.name, []))
            except BrokleError as error:
                place = _place(path, section.name, error.field or "")
                raise UnableToConfigure(f"{place}: section `{section.name}`: {error.detail}") from error
    log.info("configuration applied", extra={"sections": sorted(parsed)})


def said(secret: Secret) -> str:
    if isinstance(secret, str):
        return secret
    value = env.outside(secret.env)
    if not value:
        raise Invalid(f"the environment variable {secret.env} is empty or missing")
    return value


@contextmanager
def at_entry(number: int) -> Iterator[None]:
    """For sections that are lists: what is wrong with an entry is told with its line."""
    try:
        yield
    except BrokleError as error:
        error.field = f"[{number}].{error.field or ''}".rstrip(".")
        raise


def watch_step() -> Callable[[], int]:
    """For the worker, which asks about once a second."""
    return Watcher(Path(settings.CONFIG)).step if settings.CONFIG else lambda: 0


class Watcher:
    """Applies the file again when it changed; a faulty one is reported once and the former state stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def step(self) -> int:
        stamp = self._stamp()
        if stamp == self._seen:
            return 0
        self._seen = stamp
        try:
            apply_configuration()
        except UnableToConfigure as error:
            log.error("configuration not applied", extra={"reason": str(error)})  # noqa: TRY400 - the reason is the user's file
        return 0

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)


def _compose(path: Path) -> yaml.Node | None:
    try:
        if path.stat().st_size > _LARGEST:
            raise UnableToConfigure(f"{path}: larger than {_LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UnableToConfigure(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnableToConfigure(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UnableToConfigure(f"{path}: not valid YAML: {error}") from error


def _converted(path: Path, section: ConfigSection, node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_document(node)
        return msgspec.convert(value, section.type)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else _line(node)
        raise UnableToConfigure(f"{path}:{line}: {error.problem}") from error
    except msgspec.ValidationError as error:
        match = _PLACE.match(str(error))
        what, place = (match["what"], match["path"] or "") if match else (str(error), "")
        raise UnableToConfigure(f"{path}:{_line(_find(node, place))}: {section.name}{place}: {what}") from error
    finally:
        loader.dispose()


def _place(path: Path, section: str, place: str) -> str:
    """The file and, where it is known, the line that an error of a section is about."""
    root = _compose(path) if place.startswith("[") else None
    if not isinstance(root, yaml.MappingNode):
        return str(path)
    node = next((value for key, value in root.value if key.value == section), None)
    return f"{path}:{_line(_find(node, place))}" if node is not None else str(path)


def _refuse_doubles(path: Path, node: yaml.Node) -> None:
    """YAML would silently let the last one win."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise UnableToConfigure(f"{path}:{_line(key)}: `{key.value}` is given twice")
            seen.add(key.value)
            _refuse_doubles(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_doubles(path, item)


def _find(node: yaml.Node, place: str) -> yaml.Node:
    """The node an error is about; as deep as the file goes."""
    for name, index in _STEP.findall(place):
        inner = None
        if name and isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == name), None)
        elif index.isdigit() and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            inner = node.value[int(index)]
        if inner is None:
            return node
        node = inner
    return node


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
