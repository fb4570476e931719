"""Every text that the product asks gettext for, found in its sources."""

import ast
import re
from pathlib import Path

from django.utils.translation.template import templatize

import brokle

_CALL = re.compile(r"""(?<![\w.])n?gettext\(\s*u?(['"])(.+?)(?<!\\)\1(?:,\s*u?(['"])(.+?)(?<!\\)\3,)?""", re.DOTALL)
_UNDERSCORE = re.compile(r"""(?<![\w.])_\((['"])(.+?)(?<!\\)\1\)""")
_FUNCTIONS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}


def template_files() -> list[Path]:
    return sorted(path for kind in ("html", "txt") for path in (brokle.HOUSE / "templates").rglob(f"*.{kind}"))


def python_files() -> list[Path]:
    rooms = (brokle.HOUSE / "brokle", brokle.HOUSE / "apps")
    return sorted(path for room in rooms for path in room.rglob("*.py") if "tests" not in path.parts)


def template_texts(path: Path) -> set[str]:
    source = templatize(path.read_text(encoding="utf-8"))
    found = {match[2] for match in _CALL.finditer(source)}
    return found | {match[2] for match in _UNDERSCORE.finditer(path.read_text(encoding="utf-8"))}


def python_texts(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def all_texts() -> dict[str, Path]:
    texts: dict[str, Path] = {}
    for path in template_files():
        texts.update(dict.fromkeys(template_texts(path), path))
    for path in python_files():
        texts.update(dict.fromkeys(python_texts(path), path))
    return texts
