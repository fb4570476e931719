import re
import shutil
import subprocess

import pytest
import yaml

import brokle
from brokle.settings.env import catalogue, env

FILE = brokle.HOUSE / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text())
OVERRIDE = yaml.safe_load((brokle.HOUSE / "docker-compose.override.yml").read_text())
SERVICES = COMPOSE["services"]
HOUSE = {name: service for name, service in SERVICES.items() if "brokle/brokle" in service["image"]}
ENGINES = {"postgres", "redis", "clickhouse", "registry"}


def test_the_services_are_those_of_the_map():
    assert set(SERVICES) == {*ENGINES, "web-1", "web-2", "edge", "worker", "executor"}
    assert {name: service["command"] for name, service in HOUSE.items()} == {
        "web-1": ["serve", "--role", "web"],
        "web-2": ["serve", "--role", "web"],
        "edge": ["serve", "--role", "edge"],
        "worker": ["serve", "--role", "worker"],
        "executor": ["serve", "--role", "executor"],
    }


def test_only_the_executor_holds_the_container_engines_socket():
    holders = [name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes"))]

    assert holders == ["executor"]
    assert not any(service.get("privileged") for service in SERVICES.values())


def test_every_role_has_a_data_dir_of_its_own():
    mounted = [str(volume).split(":")[0] for s in HOUSE.values() for volume in s["volumes"] if ":/data" in str(volume)]

    assert sorted(mounted) == sorted(HOUSE)
    assert set(mounted) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(HOUSE))
def test_every_role_is_led_to_the_three_engines_and_knows_only_settings_that_exist(name):
    environment = HOUSE[name]["environment"]

    assert {"DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL", "BROKLE_SECRET_KEY"} <= set(environment)
    assert set(environment) <= {setting.name for setting in catalogue()}


def test_every_setting_of_an_installation_can_be_set_in_the_environment_file():
    """What is left is set by arguments and volumes, belongs to commands, names a file to mount, or is for tests."""
    set_otherwise = {
        *("BROKLE_DATA_DIR", "BROKLE_HOST", "BROKLE_PORT", "BROKLE_ROLE", "BROKLE_WORKERS", "BROKLE_LOG_FILE"),
        *("BROKLE_DRAIN_SECONDS", "BROKLE_DRAIN_DELAY_SECONDS"),
        *("BROKLE_URL", "BROKLE_API_KEY", "BROKLE_CONFIG_DIR"),
        *("BROKLE_CONFIG", "BROKLE_LICENSE_FILE"),
        *("BROKLE_DEV", "BROKLE_LICENSE_TEST_KEYS"),
    }
    offered = {name for service in HOUSE.values() for name in service["environment"]}

    assert {setting.name for setting in catalogue()} - offered == set_otherwise


def test_engines_are_not_published_and_the_registry_only_to_this_host():
    published = {name: SERVICES[name]["ports"] for name in ENGINES if "ports" in SERVICES[name]}

    assert published == {"registry": ["127.0.0.1:5000:5000"]}


def test_no_password_stands_in_the_file():
    secrets = {
        f"{service}.{name}": str(value)
        for service, content in SERVICES.items()
        for name, value in content.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|_KEY|LICENSE|AUTH", name)
    }

    assert secrets
    assert {name: value for name, value in secrets.items() if not value.startswith("${")} == {}
    assert set(re.findall(r"://[^ /$]*:([^@\n]+)@", FILE.read_text())) == {
        "${POSTGRES_PASSWORD:?set it in .env}",
        "${REDIS_PASSWORD:?set it in .env}",
        "${CLICKHOUSE_PASSWORD:?set it in .env}",
    }


def test_brokle_manages_no_users_of_its_engines():
    assert "ACCESS_MANAGEMENT" not in FILE.read_text()


def test_the_guide_keeps_the_secrets_it_makes_from_others():
    guide = (brokle.HOUSE / "docs" / "deploy" / "compose.md").read_text()

    assert "umask 077\ncat > .env" in guide


def test_the_override_changes_services_that_exist():
    assert set(OVERRIDE["services"]) <= set(SERVICES)


def test_compose_itself_accepts_the_files_where_it_is_installed():
    docker = shutil.which("docker")
    plugin = docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plugin:  # then the checks above judge the structure alone
        return
    needed = ("BROKLE_SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CLICKHOUSE_PASSWORD")

    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=brokle.HOUSE,
        env=env.for_child(**dict.fromkeys(needed, "x")),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)
