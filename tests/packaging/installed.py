"""Brokle as a wheel in a fresh environment, away from the checkout."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import brokle
from tests.house import House

ROOT = brokle.HOUSE
UV = ROOT / ".tools" / "uv" / "bin" / "uv"
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Installation:
    """`python -m venv` with one wheel in it, readable by everyone and written by nobody."""

    home: Path

    @property
    def brokle(self) -> Path:
        return self.home / "venv" / "bin" / "brokle"

    @property
    def packages(self) -> Path:
        return next((self.home / "venv" / "lib").glob("python*")) / "site-packages"

    def files(self) -> set[Path]:
        return set((self.packages / "brokle").rglob("*"))


class InstalledHouse(House):
    """Started by the installed command, as another user where one is named."""

    def __init__(self, installation: Installation, data_dir: Path, *, user: str = "", **environment: str) -> None:
        super().__init__(data_dir, **environment)
        self._installation, self._user = installation, user
        del self.environment["PYTHONPATH"]
        self.environment["HOME"] = str(data_dir.parent)
        self.environment.pop("VIRTUAL_ENV", None)

    def command(self, *arguments: str) -> list[str]:
        return [*as_user(self._user), str(self._installation.brokle), *arguments]


def as_user(name: str) -> list[str]:
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"] if name else []


@contextmanager
def ordinary_user() -> Iterator[str]:
    """A user without rights or login; only root can make one, an ordinary user is its own."""
    if os.geteuid() != 0:
        yield ""
        return
    name = f"brokle-test-{os.getpid()}"
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["userdel", name], check=True)


def python_for_everyone() -> str:
    """This interpreter, or the system's where another user could not reach this one."""
    own = Path(sys.executable).resolve()
    reachable = all(parent.stat().st_mode & 0o005 == 0o005 for parent in own.parents)
    return str(own) if reachable else _SYSTEM_PYTHON


def build_wheel(folder: Path, edition: str = "", tree: Path = ROOT, **environment: str) -> Path:
    done = uv("build", "--wheel", "--quiet", "--out-dir", str(folder), tree, BROKLE_EDITION=edition, **environment)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def uv(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        [UV, *arguments], env={**base, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )


@contextmanager
def installation(wheel: Path) -> Iterator[Installation]:
    """The versions of the lock file, compiled, as an image or a package would bring them."""
    home = Path(tempfile.mkdtemp(prefix="brokle installed "))
    try:
        home.chmod(0o755)
        locked = home / "requirements.txt"
        venv = home / "venv"
        _succeed("export", "--locked", "--no-dev", "--no-emit-project", "--quiet", "--output-file", locked)
        _succeed("venv", "--quiet", "--python", python_for_everyone(), venv)
        into = ("pip", "install", "--quiet", "--compile-bytecode", "--python", venv)
        _succeed(*into, "--requirement", locked)
        _succeed(*into, "--no-deps", wheel)
        subprocess.run(["chmod", "-R", "a-w", venv], check=True)
        yield Installation(home)
    finally:
        subprocess.run(["chmod", "-R", "u+w", home], check=True)
        shutil.rmtree(home)


def _succeed(*arguments: str | Path) -> None:
    done = uv(*arguments)
    assert done.returncode == 0, done.stderr
