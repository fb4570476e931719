"""A terminal signs in through a real browser and then works against the server."""

import json
import re
import subprocess
import sys
import urllib.error

import pytest
from playwright.sync_api import expect

import brokle
from tests.house import ADMIN, house

pytestmark = [pytest.mark.engines]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1]}
    with house(tmp_path_factory.mktemp("home"), **owner) as running:
        yield running


@pytest.fixture
def terminal(home, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BROKLE_CONFIG_DIR": str(tmp_path / "config")}

    def run(*arguments, **options):
        command = [sys.executable, "-m", "brokle", *arguments]
        shared = {"env": environment, "cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, text=True, **{**shared, **options})

    environment["PYTHONPATH"] = str(brokle.HOUSE)
    return run


def output(process):
    text = process.communicate(timeout=60)[0]
    return process.returncode, text


def status_of(home, key):
    try:
        return home.chat("hello", key=key).status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_terminal_signs_in_makes_a_key_and_revokes_it(home, console, terminal):
    process = terminal("login", "--url", home.url, "--no-browser")
    address = re.search(r"Open (\S+)", process.stdout.readline()).group(1)
    code = re.search(r"code: (\S+)", process.stdout.readline()).group(1)
    page = console.browser.new_page()
    page.goto(address)
    page.get_by_label("E-mail").fill(ADMIN[0])
    page.get_by_label("Password").fill(ADMIN[1])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text(code)).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("The command line is signed in")).to_be_visible()
    page.close()
    assert output(process) == (0, f"Signed in to {home.url} as {ADMIN[0]}\n")

    made = json.loads(output(terminal("keys", "create", "from afar", "--json"))[1])
    home.wait_for(lambda: status_of(home, made["value"]) == 200)
    listed = json.loads(output(terminal("keys", "list", "--json"))[1])["keys"]
    assert "from afar" in [key["name"] for key in listed]
    assert output(terminal("keys", "revoke", made["id"])) == (0, f"from afar ({made['id']}) is revoked\n")
    home.wait_for(lambda: status_of(home, made["value"]) == 401)

    assert output(terminal("whoami")) == (0, f"{ADMIN[0]} at {home.url}: default\n")
    assert output(terminal("logout")) == (0, f"Signed out of {home.url}\n")
    assert output(terminal("whoami"))[0] == 1


def test_a_wrong_address_or_a_missing_server_is_one_line_with_the_mend(terminal):
    assert output(terminal("login")) == (1, "brokle: which server? brokle login --url https://brokle.example\n")
    status, text = output(terminal("login", "--url", "http://127.0.0.1:9", "--no-browser"))
    assert (status, text.count("\n"), "does not answer" in text) == (1, 1, True)
    status, text = output(terminal("login", "--url", "ftp://x", "--no-browser"))
    assert (status, "is no address" in text) == (1, True)
