"""Gemini's contents: read into the parts of a conversation.

Google's API takes every name in two spellings, `inlineData` and `inline_data`, and one thing where a list is meant.
"""

import re
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media, Part, Text, Thought, ToolCall, ToolResult
from apps.routing.edge.dialects.gemini.replies import media_of
from apps.routing.edge.dialects.seals import heard_from_google
from brokle.kernel.errors import BadRequest

Unspoken = dict[str, msgspec.Raw]
"""What only Gemini has, by the name it is refused by elsewhere."""

_raw: Final = msgspec.json.Encoder().encode
_UPPER: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_SPOKEN: Final = frozenset({"text", "inlineData", "fileData", "functionCall", "functionResponse"})
_BESIDE: Final = frozenset({"thought", "thoughtSignature", "partMetadata"})
_OUTPUTS: Final = ("result", "output", "error")


def held(entry: dict[str, Any], name: str) -> Any:
    """A member by its name in either spelling."""
    found = entry.get(name)
    return entry.get(snake(name)) if found is None else found


def snake(name: str) -> str:
    return _UPPER.sub(r"_\1", name).lower()


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def listed(value: Any, where: str) -> list[dict[str, Any]]:
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(entry, dict) for entry in entries):
        raise BadRequest(f"{where}: a list of objects is expected", field=where)
    return entries


class Contents:
    """Reads the contents of one request; knows the calls it has seen, since not every caller gives them ids."""

    __slots__ = ("_count", "_waiting", "unspoken")

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[ToolCall] = []
        self.unspoken: Unspoken = {}

    def read(self, content: dict[str, Any], where: str) -> list[Part]:
        parts: list[Part] = []
        for place, part in enumerate(listed(held(content, "parts"), f"{where}.parts")):
            parts += self._part(part, f"{where}.parts[{place}]")
        return parts

    def _part(self, part: dict[str, Any], where: str) -> list[Part]:
        members = {camel(name): value for name, value in part.items() if value is not None}
        for name in members.keys() - _SPOKEN - _BESIDE:
            self.unspoken[f"contents.parts.{name[:60]}"] = msgspec.Raw(_raw(members[name]))
        seal = str(members.get("thoughtSignature") or "")
        signature, sealed = heard_from_google(seal) if seal else ("", "")
        if isinstance(members.get("functionCall"), dict):
            return [self._call(members["functionCall"], seal, where)]
        if isinstance(members.get("functionResponse"), dict):
            return [self._result(members["functionResponse"], where)]
        if members.get("thought"):
            return [Thought(str(members.get("text") or ""), signature, sealed)]
        found: list[Part] = []
        if members.get("text"):
            found.append(Text(str(members["text"])))
        if isinstance(members.get("inlineData"), dict):
            found.append(_inline(members["inlineData"]))
        if isinstance(members.get("fileData"), dict):
            found.append(_file(members["fileData"]))
        return [*found, Thought("", signature, sealed)] if seal else found

    def _call(self, call: dict[str, Any], seal: str, where: str) -> ToolCall:
        name, arguments = call.get("name"), call.get("args")
        if not isinstance(name, str):
            raise BadRequest(f"{where}.functionCall.name: a name is expected", field=where)
        self._count += 1
        call_id = str(call.get("id") or f"call_{self._count}")
        found = ToolCall(call_id, name, _raw(arguments or {}).decode(), seal)
        self._waiting.append(found)
        return found

    def _result(self, result: dict[str, Any], where: str) -> ToolResult:
        """A result without an id answers the first call of its name that waits for one."""
        name, response = str(result.get("name") or ""), result.get("response")
        given = str(result.get("id") or "")
        call = next((one for one in self._waiting if one.id == given or (not given and one.name == name)), None)
        if call is not None:
            self._waiting.remove(call)
        call_id = given or (call.id if call is not None else f"call_{name}")
        parts: list[Text | Media] = [Text(_said(response))]
        for inner in listed(result.get("parts"), f"{where}.functionResponse.parts"):
            data = held(inner, "inlineData")
            if isinstance(data, dict):
                parts.append(_inline(data))
        is_error = isinstance(response, dict) and response.keys() == {"error"}
        return ToolResult(call_id, name or (call.name if call is not None else ""), parts, is_error)


def _said(response: Any) -> str:
    """What stands alone under a name that only says "here it is" needs no such wrapping."""
    if isinstance(response, dict) and len(response) == 1:
        name, value = next(iter(response.items()))
        if name in _OUTPUTS and isinstance(value, str):
            return value
    return _raw(response if response is not None else {}).decode()


def _inline(data: dict[str, Any]) -> Media:
    found = media_of(str(held(data, "mimeType") or ""), str(data.get("data") or ""))
    found.name = str(held(data, "displayName") or "")
    return found


def _file(data: dict[str, Any]) -> Media:
    address = str(held(data, "fileUri") or "")
    found = media_of(str(held(data, "mimeType") or ""), "")
    if "://" in address:
        found.url = address
    else:
        found.file_id = address
    return found
