"""Tools of a Responses request: functions, tools that take free text, and which of them may be called."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import NO_JSON, Tool, ToolChoice
from apps.routing.edge.dialects.responses.items import Unspoken, word
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
_FREE_TEXT: Final = msgspec.Raw(
    _raw({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
)
"""A tool that takes free text is a function of one text to those who know functions only."""
_OWN: Final = frozenset({"function", "custom"})


def read_tools(entries: list[Any], unspoken: Unspoken) -> list[Tool]:
    """Tools that run at OpenAI, or whose form only it knows, cannot be told to anyone else."""
    found = []
    for place, entry in enumerate(entries):
        kind = word(entry, "type")
        if not kind:
            raise BadRequest(f"`tools.{place}.type` is missing", field=f"tools.{place}.type")
        if kind in _OWN:
            found.append(_tool(entry, place, unspoken))
        else:
            unspoken[f"tools.{kind[:60]}"] = msgspec.Raw(_raw(entry))
    return found


def _tool(entry: dict[str, Any], place: int, unspoken: Unspoken) -> Tool:
    name = word(entry, "name")
    if not name:
        raise BadRequest(f"`tools.{place}.name` is missing", field=f"tools.{place}.name")
    description, strict = str(entry.get("description") or ""), entry.get("strict")
    if entry["type"] == "custom":
        form = entry.get("format")
        if word(form, "type") not in {"", "text"}:
            unspoken[f"tools.{name[:60]}.format"] = msgspec.Raw(_raw(form))
        return Tool(name, description, _FREE_TEXT)
    schema = entry.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise BadRequest(f"`tools.{place}.parameters` is a JSON Schema", field=f"tools.{place}.parameters")
    held = NO_JSON if schema is None else msgspec.Raw(_raw(schema))
    return Tool(name, description, held, strict if isinstance(strict, bool) else None)


def custom_names(entries: list[Any] | None) -> frozenset[str]:
    """Of the tools that take free text, whose calls are told in another form."""
    found = (e for e in entries or () if isinstance(e, dict) and e.get("type") == "custom")
    return frozenset(entry["name"] for entry in found if isinstance(entry.get("name"), str))


class Choice(msgspec.Struct):
    """What a request says of its tools: which there are, and which of them are to be called."""

    tools: list[Tool]
    wish: ToolChoice | None


def read_choice(choice: Any, tools: list[Tool], parallel: bool | None, unspoken: Unspoken) -> Choice:
    """Where one call at a time is wished for, the rest of an answer's calls are held back: see `ToolChoice`."""
    is_held = parallel is False
    if choice is None:
        return Choice(tools, None if parallel is None else ToolChoice(is_parallel=parallel, is_held=is_held))
    if isinstance(choice, str):
        if choice not in {"auto", "none", "required"}:
            raise BadRequest(f"`{choice[:40]}` is no tool choice", field="tool_choice")
        return Choice(tools, ToolChoice(choice, [], parallel, is_held))  # type: ignore[arg-type]
    kind = word(choice, "type")
    if kind in _OWN:
        return Choice(tools, ToolChoice("named", [_named(choice, tools)], parallel, is_held))
    if kind == "allowed_tools":
        return _allowed(choice, tools, parallel)
    if not kind:
        raise BadRequest("This tool choice is not known here", field="tool_choice")
    unspoken[f"tool_choice.{kind[:60]}"] = msgspec.Raw(_raw(choice))
    return Choice(tools, None)


def _allowed(choice: dict[str, Any], tools: list[Tool], parallel: bool | None) -> Choice:
    """The rest of the tools is not shown at all, which comes to the same for whoever may not call them."""
    listed, mode = choice.get("tools"), word(choice, "mode")
    if not isinstance(listed, list) or mode not in {"auto", "required"}:
        raise BadRequest("Allowed tools have a `mode` of auto or required, and a list", field="tool_choice")
    names = [_named(entry, tools) for entry in listed]
    wish = ToolChoice("auto" if mode == "auto" else "required", [], parallel, parallel is False)
    return Choice([tool for tool in tools if tool.name in names], wish)


def _named(entry: Any, tools: list[Tool]) -> str:
    name = word(entry, "name")
    if name not in {tool.name for tool in tools}:
        raise BadRequest(f"The tool choice names no tool of this request: `{name[:60]}`", field="tool_choice")
    return name
