"""Documents made from the declarations, so that they cannot be wrong: `.env.example` and two pages of docs/."""

from itertools import groupby
from pathlib import Path

import brokle
from brokle.settings.env import catalogue


def env_example() -> str:
    lines = ["# Every setting of Brokle, made by `make docs-generate`. Uncomment what you change.", ""]
    for group, settings in groupby(catalogue(), key=lambda s: s.group):
        lines += [f"# ── {group} " + "─" * (76 - len(group)), ""]
        for setting in settings:
            lines += [f"# {setting.meaning}", f"# {setting.name}={setting.default}", ""]
    return "\n".join(lines)


def configuration_reference() -> str:
    lines = [
        "# Configuration",
        "",
        "Everything is set by the environment; a `.env` in the working directory fills what it does not set.",
        "Made by `make docs-generate`; do not edit.",
        "",
    ]
    for group, settings in groupby(catalogue(), key=lambda s: s.group):
        lines += [f"## {group}", "", "| setting | default | meaning |", "|---|---|---|"]
        for s in settings:
            default = f"`{s.default}`" if s.default else "—"
            meaning = s.meaning.replace("|", "\\|") + (" *Secret.*" if s.secret else "")
            lines.append(f"| `{s.name}` | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def write_references(root: Path = brokle.HOUSE) -> None:
    """Write the generated documents into the tree."""
    (root / ".env.example").write_text(env_example(), encoding="utf-8")
    (root / "docs" / "configuration.md").write_text(configuration_reference(), encoding="utf-8")
    (root / "docs" / "API.md").write_text(api_reference(), encoding="utf-8")


def api_reference() -> str:
    from brokle.cli.django_setup import ready

    ready()
    from brokle.web.api_document import api_document

    return api_document()
