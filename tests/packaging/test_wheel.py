import os
import shutil
import subprocess
import zipfile

import pytest

import brokle
from tests.packaging.installed import (
    ROOT,
    InstalledHouse,
    build_wheel,
    installation,
    ordinary_user,
    uv,
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel):
    with installation(wheel) as made:
        yield made


@pytest.fixture
def tree(tmp_path):
    """A copy of what git knows, without anything built."""
    copy = tmp_path / "tree"
    copy.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def brokle_lines(done):
    return [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("brokle:")]


def test_the_wheel_holds_the_house_and_its_built_front_end(wheel):
    names = contents(wheel)

    assert {name.split("/")[0] for name in names} == {"brokle", f"brokle-{brokle.__version__}.dist-info"}
    for wanted in (
        "brokle/_house/apps/orgs/models/keys.py",
        "brokle/_house/migrations/clickhouse/0001_ground.up.sql",
        "brokle/_house/migrations/postgres/users/0001_initial.py",
        "brokle/_house/templates/base.html",
        "brokle/_house/static/dist/manifest.json",
        "brokle/_house/locale/ar/LC_MESSAGES/django.mo",
    ):
        assert wanted in names
    assert [name for name in names if "/tests/" in name and "/runtimes/" not in name] == []
    assert [name for name in names if name.endswith((".pyc", ".po"))] == []


def test_the_editions_differ_by_the_enterprise_folder_alone(wheel, tmp_path):
    oss = set(contents(build_wheel(tmp_path / "oss", "oss")))
    enterprise = set(contents(build_wheel(tmp_path / "enterprise", "enterprise")))

    assert enterprise == set(contents(wheel))
    assert oss < enterprise
    assert {name.split("/")[2] for name in enterprise - oss} == {"ee"}
    assert "brokle/_house/ee/LICENSE" in enterprise


def test_the_enterprise_edition_of_a_tree_without_it_is_refused_in_one_line(tree, tmp_path):
    shutil.rmtree(tree / "ee")

    done = uv("build", "--wheel", "--out-dir", tmp_path / "out", tree, BROKLE_EDITION="enterprise")

    assert done.returncode != 0
    assert brokle_lines(done) == ["brokle: the enterprise edition needs the ee/ folder, and this tree has none"]
    assert "Traceback" not in done.stderr


def test_a_wheel_without_its_front_end_is_refused_in_one_line(tree, tmp_path):
    broken = tmp_path / "bin"
    broken.mkdir()
    for name in ("node", "npm"):
        (broken / name).write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        (broken / name).chmod(0o755)

    path = f"{broken}{os.pathsep}{os.environ['PATH']}"
    done = uv("build", "--wheel", "--out-dir", tmp_path / "out", tree, PATH=path)

    assert done.returncode != 0
    assert brokle_lines(done) == ["brokle: no wheel without its front end, and building that failed: no network"]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.whl"))


def test_the_installed_command_tells_its_version(installed):
    done = subprocess.run([installed.brokle, "version"], capture_output=True, text=True, cwd="/", check=False)

    assert (done.stdout, done.stderr, done.returncode) == (f"{brokle.__version__}\n", "", 0)


@pytest.fixture(params=["whoever runs the tests", "an ordinary user"])
def user(request):
    if request.param == "whoever runs the tests":
        yield ""
        return
    with ordinary_user() as name:
        yield name


@pytest.mark.engines
def test_an_installation_that_cannot_be_written_serves_from_a_directory_with_spaces(installed, user):
    before = installed.files()
    place = installed.home / f"a place for {user or 'me'}"
    place.mkdir()
    if user:
        shutil.chown(place, user, user)
    house = InstalledHouse(installed, place / "data dir", user=user)
    try:
        house.start()
        health, chat, page = house.get("/health"), house.chat("over the wheel"), house.get("/auth/login")
        house.wait_for(lambda: house.processes()["worker"]["state"] == "running")
        processes = house.processes()
        code = house.stop()
    finally:
        if house.process is not None and house.process.poll() is None:
            house.stop()

    assert health.status == 200
    assert chat.status == 200
    assert chat.json()["choices"][0]["message"]["content"] == "over the wheel"
    assert (page.status, b"/static/dist/console-" in page.body) == (200, True)
    assert {name: process["restarts"] for name, process in processes.items()} == dict.fromkeys(processes, 0)
    assert code == 0
    assert installed.files() == before
    assert (place / "data dir" / "secrets").stat().st_mode & 0o777 == 0o700
