"""Documents are tested: an undocumented setting, extension point or dependency fails the build."""

import re
import tomllib

import pytest

import brokle
from brokle.cli.reference import api_reference, env_example
from brokle.kernel import extensions
from brokle.settings.env import catalogue

ROOT = brokle.HOUSE
DOCS = ROOT / "docs"

pytestmark = pytest.mark.modes


def test_the_example_environment_is_the_catalogue():
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_api_document_is_the_schema():
    assert (DOCS / "API.md").read_text() == api_reference()


@pytest.mark.parametrize("setting", list(catalogue()), ids=lambda s: s.name)
def test_every_setting_is_in_the_reference(setting):
    assert f"`{setting.name}`" in (DOCS / "configuration.md").read_text()


@pytest.mark.parametrize("point", extensions.points(), ids=lambda p: p.name)
def test_every_extension_point_is_in_the_guide(point):
    assert f"### `{point.name}`" in (DOCS / "guides" / "extending.md").read_text()


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    return sorted({re.match(r"[A-Za-z0-9_.-]+", line).group() for line in lines})


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_has_its_line_of_why(name):
    assert f"| `{name}` |" in (DOCS / "dependencies.md").read_text()
