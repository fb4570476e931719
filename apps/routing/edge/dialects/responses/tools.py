"""Tools of a Responses request: functions, tools that take free text, and which of them may be called."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import NO_JSON, Tool, ToolChoice
from apps.routing.edge.dialects.responses.items import Unspoken
from apps.routing.edge.dialects.responses.names import NAMESPACE, SEARCH, is_search, told_as, word
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
_FREE_TEXT: Final = msgspec.Raw(
    _raw({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
)
"""A tool that takes free text is a function of one text to those who know functions only."""
_OWN: Final = frozenset({"function", "custom"})


def read_tools(lists: list[tuple[str, list[Any]]], unspoken: Unspoken) -> list[Tool]:
    """Of each list, with where it stands; what a later one says of a tool counts."""
    found: dict[str, Tool] = {}
    for where, entries in lists:
        found |= {tool.name: tool for tool in _tools(entries, where, unspoken)}
    return list(found.values())


def _tools(entries: list[Any], stands: str, unspoken: Unspoken) -> list[Tool]:
    """Tools that run at OpenAI, or whose form only it knows, cannot be told to anyone else."""
    found = []
    for place, entry in enumerate(entries):
        where, kind = f"{stands}.{place}", word(entry, "type")
        if kind != NAMESPACE:
            found += _tool(entry, where, unspoken)
            continue
        name, inner = word(entry, "name"), entry.get("tools")
        if not name or not isinstance(inner, list):
            raise BadRequest(f"`{where}` is a namespace without a name or without tools", field=where)
        about = word(entry, "description")
        for number, tool in enumerate(inner):
            found += _tool(tool, f"{where}.tools.{number}", unspoken, name, about)
    return found


def _tool(entry: Any, where: str, unspoken: Unspoken, namespace: str = "", about: str = "") -> list[Tool]:
    kind, name = word(entry, "type"), word(entry, "name")
    if not kind:
        raise BadRequest(f"`{where}.type` is missing", field=f"{where}.type")
    if is_search(entry):
        kind, name = "function", SEARCH
    if kind not in _OWN:
        unspoken[f"tools.{kind[:60]}"] = msgspec.Raw(_raw(entry))
        return []
    if not name:
        raise BadRequest(f"`{where}.name` is missing", field=f"{where}.name")
    told = told_as(name, namespace)
    description = "\n".join(text for text in (about, str(entry.get("description") or "")) if text)
    if kind == "custom":
        form = entry.get("format")
        if word(form, "type") not in {"", "text"}:
            unspoken[f"tools.{name[:60]}.format"] = msgspec.Raw(_raw(form))
            description += _grammar(form)
        return [Tool(told, description, _FREE_TEXT)]
    schema, strict = entry.get("parameters"), entry.get("strict")
    if schema is not None and not isinstance(schema, dict):
        raise BadRequest(f"`{where}.parameters` is a JSON Schema", field=f"{where}.parameters")
    held = NO_JSON if schema is None else msgspec.Raw(_raw(schema))
    return [Tool(told, description, held, strict if isinstance(strict, bool) else None)]


def _grammar(form: dict[str, Any]) -> str:
    """Nobody else is held to it; who is told of it can keep to it."""
    rules, syntax = word(form, "definition"), word(form, "syntax")
    return f"\n\nThe input keeps to this grammar ({syntax}):\n{rules}" if rules else ""


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
    name = told_as(word(entry, "name"), word(entry, "namespace"))
    if name not in {tool.name for tool in tools}:
        raise BadRequest(f"The tool choice names no tool of this request: `{name[:60]}`", field="tool_choice")
    return name
