import json
import logging
import subprocess
import sys
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import brokle
from brokle.settings.env import Environment, env
from ee.license.services.current import LicenseInForce
from ee.license.services.token import issue
from ee.license.tests.test_tokens import KEY, PUBLIC, START, a_license

TEST_KEYS = f"test-1:{PUBLIC}"


class Clock:
    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now


def in_force(clock=None, **environment):
    return LicenseInForce(Environment({"BROKLE_LICENSE_TEST_KEYS": TEST_KEYS, **environment}), clock or Clock())


def test_without_a_license_nothing_is_granted():
    assert in_force().grants("sso", "org_noor") is False


def test_a_license_grants_its_features_to_its_organization_alone():
    license_ = in_force(BROKLE_LICENSE=issue(a_license(), KEY))

    assert license_.grants("sso", "org_noor") is True
    assert license_.grants("sso", None) is True
    assert license_.grants("rbac", "org_noor") is False
    assert license_.grants("sso", "org_other") is False


def test_a_license_for_the_installation_grants_to_every_organization():
    license_ = in_force(BROKLE_LICENSE=issue(a_license(org="*"), KEY))

    assert license_.grants("scim", "org_other") is True


def test_a_test_license_counts_only_where_its_key_is_named(caplog):
    license_ = in_force(BROKLE_LICENSE=issue(a_license(), KEY), BROKLE_LICENSE_TEST_KEYS="")

    with caplog.at_level(logging.ERROR, logger="brokle.license"):
        assert license_.grants("sso", "org_noor") is False
    assert [record.reason for record in caplog.records] == [
        "the license is signed by an unknown key 'test-1'; update Brokle or ask for a new one"
    ]


@pytest.mark.parametrize(("day", "granted"), [(-1, False), (0, True), (370, True), (380, False)])
def test_a_license_grants_from_its_start_to_the_end_of_its_grace(day, granted):
    clock = Clock(START + timedelta(days=day))

    assert in_force(clock, BROKLE_LICENSE=issue(a_license(), KEY)).grants("sso", "org_noor") is granted


def test_a_damaged_license_grants_nothing_and_is_never_written_to_the_log(caplog):
    token = issue(a_license(), KEY)[:-4]

    with caplog.at_level(logging.DEBUG, logger="brokle.license"):
        assert in_force(BROKLE_LICENSE=token).grants("sso", "org_noor") is False
    assert token[:40] not in str([record.__dict__ for record in caplog.records])


def test_a_renewed_file_counts_within_the_hour(tmp_path):
    file = tmp_path / "license"
    file.write_text(issue(a_license(features=["sso"]), KEY))
    clock = Clock()
    license_ = in_force(clock, BROKLE_LICENSE_FILE=str(file))
    assert license_.grants("scim", "org_noor") is False

    file.write_text(issue(a_license(features=["scim"]), KEY) + "\n")
    clock.now += timedelta(minutes=59)
    assert license_.grants("scim", "org_noor") is False
    clock.now += timedelta(minutes=1)
    assert license_.grants("scim", "org_noor") is True


def test_a_file_that_is_not_there_is_told_and_grants_nothing(tmp_path, caplog):
    missing = tmp_path / "none"

    with caplog.at_level(logging.ERROR, logger="brokle.license"):
        assert in_force(BROKLE_LICENSE_FILE=str(missing)).grants("sso", None) is False
    assert [record.reason for record in caplog.records] == [
        f"cannot read {missing} of BROKLE_LICENSE_FILE: No such file or directory"
    ]


def brokle_license(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "brokle", "license", *arguments],
        env=env.for_child(**{"BROKLE_LICENSE": "", "BROKLE_LICENSE_FILE": "", **environment}),
        cwd=brokle.HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def private_key(tmp_path):
    path = tmp_path / "vendor.pem"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_the_command_issues_what_the_command_accepts(private_key):
    code, printed, errors = brokle_license(
        "issue", "--key", str(private_key), "--kid", "test-1", "--org", "org_noor", "--limit", "seats=5", "--json"
    )
    assert (code, errors) == (0, "")
    made = json.loads(printed)
    assert made["public_key"] == TEST_KEYS

    code, printed, _ = brokle_license(
        "inspect", "--json", BROKLE_LICENSE=made["license"], BROKLE_LICENSE_TEST_KEYS=made["public_key"]
    )
    told = json.loads(printed)
    assert code == 0
    assert (told["id"], told["state"], told["counts"], told["for_tests"]) == (made["id"], "valid", True, True)
    assert (told["organization"], told["limits"]) == ("org_noor", {"seats": 5})
    assert told["features"] == ["compliance", "dashboards", "insights", "rbac", "scim", "sso"]


def test_the_command_says_why_a_license_does_not_count_here(tmp_path):
    file = tmp_path / "license"
    file.write_text(issue(a_license(), KEY))

    code, printed, _ = brokle_license("inspect", str(file), "--json", BROKLE_LICENSE_TEST_KEYS="")

    assert code == 1
    assert json.loads(printed)["reason"] == (
        "the license is signed by an unknown key 'test-1'; update Brokle or ask for a new one"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["inspect"], "brokle: there is no license here; set BROKLE_LICENSE or BROKLE_LICENSE_FILE\n"),
        (["issue", "--kid", "k", "--key", "/nonexistent"], "brokle: cannot read the private key /nonexistent: "),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments, line):
    code, _, errors = brokle_license(*arguments)

    assert code == 1
    assert errors.startswith(line)
    assert errors.count("\n") == 1


def test_the_command_refuses_features_nobody_knows(private_key):
    code, _, errors = brokle_license("issue", "--key", str(private_key), "--kid", "k", "--features", "sso,teleport")

    assert code == 1
    assert errors.startswith("brokle: no such feature: teleport; there are compliance, ")
