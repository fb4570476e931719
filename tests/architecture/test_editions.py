"""One tree, three modes: ee/ deleted, there without a license, there with one. `tests/run-modes` runs the other two."""

import subprocess
import sys

import pytest
from django.conf import settings

import brokle
from brokle.kernel import features
from brokle.settings.env import env
from tests.house import house

pytestmark = pytest.mark.modes

PRESENT = (brokle.HOUSE / "ee").is_dir()
LICENSED = env.given("BROKLE_LICENSE")


def test_the_enterprise_rooms_are_loaded_where_the_folder_is():
    assert [f"ee.{room}" for room in settings.EE_ROOMS if PRESENT] == settings.EE_APPS


@pytest.mark.parametrize("feature", sorted(features.FEATURES))
def test_a_feature_is_granted_by_a_license_and_by_nothing_else(feature):
    assert features.granted(feature, "org_any") is LICENSED


def test_the_license_command_comes_with_the_folder():
    done = subprocess.run(
        [sys.executable, "-m", "brokle", "--help"], cwd=brokle.HOUSE, capture_output=True, text=True, check=True
    )

    assert ("Look at this installation's license" in done.stdout) is PRESENT


@pytest.mark.engines
def test_a_call_is_served(tmp_path):
    with house(tmp_path / "data") as home:
        answer = home.chat("in every mode")
        code = home.stop()

    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "in every mode"
    assert code == 0
