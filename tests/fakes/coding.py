"""What a model does that a coding agent asks: it looks for a tool, reads a note, writes a file, and says what it read.

Which tools it may call, and how they are called, the agent says; a result says what really happened.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

NOTE = "note.txt"
MADE = "made.txt"
LINE = "written by a model"
_SECRET = re.compile(r"The password is (\w+)")
_READ = f"cat {NOTE}"
_WRITE = f"echo '{LINE}' > {MADE}"
_PATCH = f"*** Begin Patch\n*** Add File: {MADE}\n+{LINE}\n*** End Patch\n"
# What finds tools that an agent has not told of yet, and what is looked for.
_SEARCHES = {"ToolSearch": "select:NotebookEdit", "tool_search": "spawn agent"}
_SCRIPT = "const told = await tools.exec_command({{cmd: {command}}});\ntext(told);"


@dataclass
class Step:
    """A call of a tool; `text` is the JSON of its arguments, or what a tool that takes free text is given."""

    tool: str
    text: str
    is_free: bool = False

    @property
    def arguments(self) -> str:
        """As who knows functions only is told of a tool that takes free text."""
        return json.dumps({"input": self.text}) if self.is_free else self.text


def _claude_code() -> list[list[Step]]:
    read, write = ({"command": command, "description": "Does it"} for command in (_READ, _WRITE))
    return [[Step("Bash", json.dumps(read)), Step("Bash", json.dumps(write))]]


def _codex(*, patches: bool) -> list[list[Step]]:
    write = Step("apply_patch", _PATCH, is_free=True) if patches else Step("exec_command", json.dumps({"cmd": _WRITE}))
    return [[Step("exec_command", json.dumps({"cmd": _READ}))], [write]]


def _codex_in_code(tool: str) -> list[list[Step]]:
    scripts = (_SCRIPT.format(command=json.dumps(command)) for command in (_READ, _WRITE))
    return [[Step(tool, script, is_free=True)] for script in scripts]


def next_steps(tools: Collection[str], results: list[str]) -> list[Step]:
    """Nothing once everything is done, and nothing for who offers no tool that runs commands."""
    plan: list[list[Step]] = []
    if "Bash" in tools:
        plan = _claude_code()
    elif "exec_command" in tools:
        plan = _codex(patches="apply_patch" in tools)
    elif code := next((tool for tool in tools if tool in {"exec", "functions__exec"}), ""):
        plan = _codex_in_code(code)
    if search := next((tool for tool in tools if tool in _SEARCHES), ""):
        plan.insert(0, [Step(search, json.dumps({"query": _SEARCHES[search]}))])
    for steps in plan:
        if not results:
            return steps
        results = results[len(steps) :]
    return []


def closing_words(results: list[str]) -> str:
    found = _SECRET.search("\n".join(results))
    return f"The password is {found[1]}, and {MADE} is written." if found else "There is nothing to tell."
