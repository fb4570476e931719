"""What the front-end build left in static/dist: entry files, fonts to preload, icon shapes."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
from django.conf import settings

import brokle

MANIFEST = brokle.HOUSE / "static" / "dist" / "manifest.json"


class _Manifest(msgspec.Struct):
    entries: dict[str, str]
    preload: dict[str, list[str]]
    icons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Assets:
    style: str
    gateway_style: str
    gallery_style: str
    playground_style: str
    playground_script: str
    script: str
    preload: dict[str, list[str]]
    icons: dict[str, str]


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int, static_url: str) -> Assets:
    manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    return Assets(
        style=static_url + manifest.entries["console.css"],
        gateway_style=static_url + manifest.entries["gateway.css"],
        gallery_style=static_url + manifest.entries["gallery.css"],
        script=static_url + manifest.entries["console.js"],
        preload={language: [static_url + file for file in files] for language, files in manifest.preload.items()},
        icons=manifest.icons,
        playground_style=static_url + manifest.entries["playground.css"],
        playground_script=static_url + manifest.entries["playground.js"],
    )


def find_assets(manifest: Path = MANIFEST) -> Assets | None:
    """None when nothing is built yet; a new build is seen by the manifest's time, without a restart."""
    try:
        changed_ns = manifest.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _read(manifest, changed_ns, settings.STATIC_URL)
