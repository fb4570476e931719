"""The gallery shows what there is, as it is now."""

import re

import brokle
from brokle.web.gallery.samples import PAGES

TEMPLATES = brokle.HOUSE / "templates"


def used_by(template):
    """The components of a template, of what it extends, and of those in turn."""
    found, waiting = set(), [template]
    while waiting:
        text = (TEMPLATES / waiting.pop()).read_text()
        waiting += re.findall(r'{% (?:extends|include) "([^"]+)"', text)
        for name in set(re.findall(r'{% component "([^"]+)"', text)) - found:
            found.add(name)
            waiting.append(f"components/{name}.html")
    return found


def test_every_component_is_to_be_seen():
    shown = used_by("gallery/components.html").union(*(used_by(page.template) for page in PAGES.values()))

    assert {path.stem for path in (TEMPLATES / "components").glob("*.html")} - shown == set()
