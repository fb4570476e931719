import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

import brokle

EE = brokle.HOUSE / "ee"
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"

pytestmark = pytest.mark.modes


@pytest.mark.parametrize("room", settings.EE_ROOMS)
def test_every_room_is_loaded_and_has_its_parts(room):
    assert apps.get_app_config(f"ee_{room}").name == f"ee.{room}"
    assert (EE / room / "migrations" / "__init__.py").is_file()
    assert len((EE / room / "README.md").read_text().splitlines()) <= 15


def test_the_folder_holds_no_room_that_settings_do_not_name():
    rooms = {path.parent.name for path in EE.glob("*/apps.py")}

    assert rooms == set(settings.EE_ROOMS)


def test_the_enterprise_license_stands_in_the_folder():
    assert "Brokle Enterprise" in (EE / "LICENSE").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("apps/orgs/contracts.py", "import ee.license.contracts\n", "ee -> apps -> brokle, never back"),
        ("ee/sso/apps.py", "import ee.license.contracts\n", "ee modules are strangers"),
        ("ee/sso/apps.py", "import apps.orgs.models\n", "ee sees only facade, contracts and events of apps"),
    ],
)
def test_a_contract_broken_on_purpose_is_caught(tmp_path, module, line, contract):
    for folder in ("brokle", "apps", "ee"):
        shutil.copytree(brokle.HOUSE / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    offender = tmp_path / module
    offender.write_text(line + offender.read_text())

    done = subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--config", "ee/importlinter.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout
