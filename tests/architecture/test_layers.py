"""What import-linter cannot see: string foreign keys, sizes, folders, and what a process really loads."""

import ast
import gc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps as installed
from django.conf import settings
from django.core.management import call_command

import brokle

ROOT = brokle.HOUSE
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]
LAYERS = next(c["layers"] for c in CONTRACTS if c["name"] == "Domain apps point one way")
SOURCES = sorted(p for folder in ("brokle", "apps", "ee", "tests", "bench") for p in (ROOT / folder).rglob("*.py"))
_MODULE_LINES, _FUNCTION_LINES = 600, 50

pytestmark = pytest.mark.modes


def parse(text: str) -> ast.Module:
    """A collection while the tree is built upsets CPython 3.11's parser."""
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        gc.enable()


def height(label: str) -> int:
    """Ground below all apps, ee above; the layer list is written from the top."""
    return len(LAYERS) - LAYERS.index(label) if label in LAYERS else 0


def foreign_keys():
    return [
        (model, field)
        for model in installed.get_models()
        if model._meta.app_label in LAYERS
        for field in model._meta.get_fields()
        if field.many_to_one and field.concrete
    ]


def test_foreign_keys_point_down():
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model, field in foreign_keys()
        if height(field.related_model._meta.app_label) > height(model._meta.app_label)
    ]

    assert upward == []


def test_foreign_keys_across_apps_leave_no_name_behind():
    named = [
        f"{model._meta.label}.{field.name}"
        for model, field in foreign_keys()
        if field.related_model._meta.app_label != model._meta.app_label
        if not field.remote_field.hidden
        if field.related_model._meta.app_label in LAYERS
    ]

    assert named == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= _MODULE_LINES
    long = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno + 1 > _FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("room", settings.ROOMS)
def test_every_room_of_the_map_is_there(room):
    folder = ROOT / "apps" / room

    assert (folder / "apps.py").is_file()
    assert len((folder / "README.md").read_text().splitlines()) <= 20
    assert (ROOT / "migrations" / "postgres" / room / "__init__.py").is_file()


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


_LOADED = """
import sys
import brokle.asgi
assert "django" not in sys.modules, "the edge loaded Django"
assert "celery" not in sys.modules, "the edge loaded Celery"
import brokle.edge.runtime, brokle.edge.ship, brokle.edge.server
from brokle.edge.rooms import load_rooms
load_rooms()
for name in ("django", "celery", "rest_framework", "channels"):
    assert name not in sys.modules, f"the edge loaded {name}"
"""


def test_an_edge_process_never_loads_django():
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.stderr == ""
    assert done.returncode == 0


def test_a_contract_broken_on_purpose_is_caught(tmp_path):
    copy = tmp_path / "house"
    subprocess.run(["git", "worktree", "add", "--detach", str(copy)], cwd=ROOT, check=True, capture_output=True)
    try:
        offender = copy / "brokle" / "edge" / "frames.py"
        offender.write_text("import django\n" + offender.read_text())
        linter = Path(sys.executable).parent / "lint-imports"
        done = subprocess.run([linter, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(copy)], cwd=ROOT, check=True)

    assert done.returncode == 1
    assert "The edge, contracts and the kernel never load Django BROKEN" in done.stdout
