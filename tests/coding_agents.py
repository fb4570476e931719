"""Coding agents as their makers ship them: installed by npm at locked versions, run as by a person without a screen.

`python -m tests.coding_agents claude_code codex` installs them into `.tools`.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import brokle
from brokle.web.build_assets import find_node
from tests.house import BOOTSTRAP_KEY

_TOOLS = brokle.HOUSE / ".tools"
_LOCKS = brokle.HOUSE / "tests" / "sdk"
# What runs stands in a package of its own for each system; the package around it only finds it.
_PROGRAMS = {
    "claude_code": "node_modules/@anthropic-ai/claude-code-*/claude",
    "codex": "node_modules/@openai/codex-*/vendor/*/bin/codex",
}
_COMMANDS = {"claude_code": "judges", "codex": "coding-agents"}
_SECONDS = 120


@dataclass
class Said:
    """What the program wrote, and how it ended."""

    code: int
    out: str
    error: str


def install(name: str) -> None:
    folder, node = _TOOLS / name, find_node()
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(_LOCKS / name / file, folder)
    path = f"{Path(node.node).parent}:{os.environ.get('PATH', '')}"
    command = [*node.npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True)
    (folder / ".ready").touch()


def program(name: str) -> Path:
    found = sorted((_TOOLS / name).glob(_PROGRAMS[name]))
    assert found, f"{name} is installed by `make {_COMMANDS[name]}`"
    return found[0]


def run(name: str, arguments: list[str], folder: Path, **settings: str) -> Said:
    """In an empty environment and a home of its own, so that nothing of this machine's takes part."""
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **settings}
    command = [str(program(name)), *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def run_claude_code(url: str, model: str, folder: Path, *arguments: str, **settings: str) -> Said:
    told = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": BOOTSTRAP_KEY,
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    return run("claude_code", list(arguments), folder, **{**told, **settings})


_CODEX_SETTINGS = """model = "{model}"
model_provider = "brokle"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.brokle]
name = "Brokle"
base_url = "{url}/v1"
env_key = "BROKLE_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
http_headers = {{ "x-brokle-drop-unsupported" = "true" }}
"""


def run_codex(url: str, model: str, folder: Path, *arguments: str, key: str = BOOTSTRAP_KEY) -> Said:
    settings = folder.parent / f"{folder.name}-home" / ".codex" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(_CODEX_SETTINGS.format(url=url, model=model))
    told = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json", *arguments]
    return run("codex", told, folder, BROKLE_API_KEY=key, CODEX_API_KEY=key)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        install(wanted)
