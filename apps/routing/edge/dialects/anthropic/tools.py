"""Tools of a messages request: which of them a model may call, and whether it must."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Tool, ToolChoice
from apps.routing.edge.dialects.anthropic.blocks import Blocks, read_ttl
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
_SEARCH: Final = "tool_search_tool"


def read_tools(entries: list[dict[str, Any]], blocks: Blocks) -> list[Tool]:
    """Those on offer at the end of what was said: what is deferred is not, until it was shown.

    Where Anthropic itself would look for what is deferred, all of it is on offer: nobody else looks.
    """
    later = {str(entry.get("name")) for _, entry in blocks.defined}
    declared = [(f"tools.{place}", entry) for place, entry in enumerate(entries) if str(entry.get("name")) not in later]
    declared += blocks.defined
    is_sought = any(str(entry.get("type")).startswith(_SEARCH) for _, entry in declared)
    found: list[Tool] = []
    for where, entry in declared:
        usually = is_sought or not entry.get("defer_loading")
        if blocks.offers.get(str(entry.get("name")), usually):
            found += _tool(entry, where, blocks)
    return found


def _tool(entry: dict[str, Any], where: str, blocks: Blocks) -> list[Tool]:
    """Tools that run at Anthropic, or whose form only Claude knows, cannot be told to anyone else."""
    kind = entry.get("type") or "custom"
    if kind != "custom":
        blocks.unspoken[f"tools.{str(kind)[:60]}"] = msgspec.Raw(_raw(entry))
        return []
    name = entry.get("name")
    if not isinstance(name, str) or not isinstance(entry.get("input_schema"), dict):
        raise BadRequest(f"{where}: A tool has a name and an input_schema", field=where)
    schema, strict = msgspec.Raw(_raw(entry["input_schema"])), entry.get("strict")
    is_strict, ttl = None if strict is None else bool(strict), read_ttl(entry.get("cache_control"))
    return [Tool(name, str(entry.get("description") or ""), schema, is_strict, ttl)]


def read_choice(choice: dict[str, Any] | None) -> ToolChoice | None:
    if choice is None:
        return None
    kind = choice.get("type")
    disabled = choice.get("disable_parallel_tool_use")
    is_parallel = None if disabled is None else not disabled
    if kind in ("auto", "none"):
        return ToolChoice("auto" if kind == "auto" else "none", is_parallel=is_parallel)
    if kind == "any":
        return ToolChoice("required", is_parallel=is_parallel)
    if kind == "tool" and isinstance(choice.get("name"), str):
        return ToolChoice("named", [choice["name"]], is_parallel)
    raise BadRequest("tool_choice: Input should be 'auto', 'any', 'none' or a named tool", field="tool_choice")
