"""Names of tools: those in a namespace, and those that take free text, are told to others as plain functions."""

from collections.abc import Iterator
from typing import Any, Final
from zlib import crc32

import msgspec

NAMESPACE: Final = "namespace"
ADDITIONAL: Final = "additional_tools"
"""An item that brings tools, beside those of the request or instead of them."""
SEARCH: Final = "tool_search"
"""What finds tools that were not told of yet; whoever calls runs it, or OpenAI does."""
FOUND: Final = "tool_search_output"
_LONGEST: Final = 64


class Own(msgspec.Struct, frozen=True):
    """A tool as its caller knows it; `is_search` finds other tools, and is called in a form of its own."""

    name: str
    namespace: str = ""
    is_custom: bool = False
    is_search: bool = False


def told_as(name: str, namespace: str) -> str:
    """The name under which others know it; what is too long for them ends in a sum of the whole."""
    if not namespace:
        return name
    whole = f"{namespace}__{name}"
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 9]}_{crc32(whole.encode()):08x}"


def own_names(entries: list[Any]) -> dict[str, Own]:
    """By the name that was told. Plain functions are not among them: they keep theirs."""
    found = {}
    for namespace, entry in flat(entries):
        if is_search(entry):
            found[SEARCH] = Own(SEARCH, is_search=True)
            continue
        own = Own(word(entry, "name"), namespace, word(entry, "type") == "custom")
        if own.namespace or own.is_custom:
            found[told_as(own.name, own.namespace)] = own
    return found


def is_search(entry: Any) -> bool:
    """Of tools, run by whoever calls."""
    return word(entry, "type") == SEARCH and word(entry, "execution") == "client"


def flat(entries: list[Any]) -> Iterator[tuple[str, Any]]:
    """Each tool with the namespace it is in."""
    for entry in entries:
        inner = entry.get("tools") if word(entry, "type") == NAMESPACE else None
        if isinstance(inner, list):
            yield from ((word(entry, "name"), tool) for tool in inner)
        else:
            yield "", entry


def word(held: Any, name: str) -> str:
    """Empty for what is none."""
    found = held.get(name) if isinstance(held, dict) else None
    return found if isinstance(found, str) else ""
