"""Items of a Responses input, read into turns: messages, calls and their results, and thoughts."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media, Part, Role, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.data_urls import read_url
from apps.routing.edge.dialects.responses.names import ADDITIONAL, FOUND, SEARCH, flat, told_as, word
from apps.routing.edge.dialects.seals import heard_from_openai
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.kernel.errors import BadRequest

Unspoken = dict[str, msgspec.Raw]
"""What only OpenAI has, by the name it is refused by elsewhere."""

_raw: Final = msgspec.json.Encoder().encode
_AUDIO: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_SOUGHT: Final = f"{SEARCH}_call"
_RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})


class KeptElsewhere(CannotExpress):
    """Something that was said before and is not in this request; to leave it out would change what is asked."""

    def __init__(self, field: str) -> None:
        BadRequest.__init__(
            self,
            f"`{field}` names what only a provider that speaks Responses itself can have kept; send all items instead",
            field=field,
        )


class Items:
    """Reads the items of one request; knows the calls it has seen, whose results do not repeat the tool's name."""

    __slots__ = ("_names", "brought", "system", "turns", "unspoken")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self.unspoken: Unspoken = {}
        self.brought: list[tuple[str, list[Any]]] = []
        """Lists of tools that stand among the items, each with where it stands."""

    def read(self, given: str | list[Any]) -> None:
        """Raises BadRequest for what is no input, KeptElsewhere for what is not in it."""
        if isinstance(given, str):
            self._join("user", [Text(given)] if given else [])
            return
        for place, item in enumerate(given):
            if not isinstance(item, dict):
                raise BadRequest(f"`input.{place}` is an object", field=f"input.{place}")
            self._take(item, f"input.{place}")

    def _take(self, item: dict[str, Any], where: str) -> None:
        kind = word(item, "type") if item.get("type") else "message" if "role" in item else ""
        if kind == "message":
            self._message(item, where)
        elif kind in _CALLS:
            self._join("assistant", [self._call(item, where)])
        elif kind in _RESULTS:
            self._join("user", [self._result(item, where)])
        elif kind == "reasoning":
            self._join("assistant", self._thoughts(item, where))
        elif kind in {_SOUGHT, FOUND} and word(item, "execution") == "client":
            self._search(item, kind, where)
        elif kind == ADDITIONAL:
            self._bring(item.get("tools"), f"{where}.tools")
        elif kind == "item_reference":
            raise KeptElsewhere(f"{where}.id")
        elif kind:
            self.unspoken[f"input.{kind[:60]}"] = msgspec.Raw(_raw(item))
        else:
            raise BadRequest(f"`{where}.type` is missing", field=f"{where}.type")

    def _bring(self, tools: Any, where: str) -> None:
        if not isinstance(tools, list):
            raise BadRequest(f"`{where}` is a list of tools", field=where)
        self.brought.append((where, tools))

    def _search(self, item: dict[str, Any], kind: str, where: str) -> None:
        """A search for tools, or what it found; who is told of tools from the beginning is told their names."""
        call_id = _string(item, "call_id", where)
        if kind == _SOUGHT:
            self._join("assistant", [ToolCall(call_id, SEARCH, _raw(item.get("arguments") or {}).decode())])
            return
        self._bring(item.get("tools"), f"{where}.tools")
        names = [told_as(word(entry, "name"), space) for space, entry in flat(item["tools"])]
        self._join("user", [ToolResult(call_id, SEARCH, [Text("\n".join(names))] if names else [])])

    def _message(self, item: dict[str, Any], where: str) -> None:
        role, parts = word(item, "role"), self._parts(item.get("content"), f"{where}.content")
        if role in {"user", "assistant"}:
            self._join("user" if role == "user" else "assistant", parts)
        elif role not in {"system", "developer"}:
            raise BadRequest(f"`{role[:40]}` is no role", field=f"{where}.role")
        elif self.turns:  # said in the middle: providers know a system prompt only at the start
            self._join("user", parts)
        elif all(isinstance(part, Text) for part in parts):
            self.system += [part for part in parts if isinstance(part, Text)]
        else:
            raise BadRequest(f"A {role} message holds text only", field=f"{where}.content")

    def _join(self, role: Role, parts: list[Part]) -> None:
        """Turns alternate: what the same side says next belongs to its turn."""
        if self.turns and self.turns[-1].role == role:
            self.turns[-1].parts.extend(parts)
        elif parts:
            self.turns.append(Turn(role, parts))

    def _call(self, item: dict[str, Any], where: str) -> ToolCall:
        call_id = _string(item, "call_id", where)
        name = told_as(_string(item, "name", where), word(item, "namespace"))
        said = _string(item, _CALLS[item["type"]], where)
        self._names[call_id] = name
        return ToolCall(call_id, name, said if item["type"] == "function_call" else _raw({"input": said}).decode())

    def _result(self, item: dict[str, Any], where: str) -> ToolResult:
        call_id = _string(item, "call_id", where)
        parts = [p for p in self._parts(item.get("output"), f"{where}.output") if isinstance(p, Text | Media)]
        return ToolResult(call_id, self._names.get(call_id, ""), parts)

    def _thoughts(self, item: dict[str, Any], where: str) -> list[Part]:
        """What OpenAI encrypted nobody else can read; its summary is left."""
        texts = [*self._parts(item.get("summary") or [], where), *self._parts(item.get("content") or [], where)]
        text = "\n\n".join(part.text for part in texts if isinstance(part, Text))
        signature, sealed = heard_from_openai(str(item.get("encrypted_content") or ""))
        return [Thought(text, signature, sealed)] if text or signature or sealed else []

    def _parts(self, content: Any, where: str) -> list[Part]:
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise BadRequest(f"`{where}` is a text or a list of parts", field=where)
        found: list[Part] = []
        for place, entry in enumerate(content):
            if not isinstance(entry, dict):
                raise BadRequest(f"`{where}.{place}` is an object", field=f"{where}.{place}")
            found.append(self._part(entry, f"{where}.{place}"))
        return found

    def _part(self, entry: dict[str, Any], where: str) -> Part:
        kind = word(entry, "type")
        if kind in _TEXTS:
            return Text(_string(entry, "text", where))
        if kind == "refusal":
            return Text(_string(entry, "refusal", where))
        if kind == "input_image":
            return _image(entry, where)
        if kind == "input_file":
            return _file(entry, where)
        if kind == "input_audio" and isinstance(entry.get("input_audio"), dict):
            held = entry["input_audio"]
            form = str(held.get("format", ""))
            data = _string(held, "data", f"{where}.input_audio")
            return Media("audio", _AUDIO.get(form, f"audio/{form}"), data)
        raise BadRequest(f"A part of type `{kind[:40]}` is not known", field=f"{where}.type")


def _image(entry: dict[str, Any], where: str) -> Media:
    detail = str(entry.get("detail") or "")
    if entry.get("file_id"):
        return Media("image", file_id=str(entry["file_id"]), detail=detail)
    return read_url("image", _string(entry, "image_url", where), detail="" if detail == "auto" else detail)


def _file(entry: dict[str, Any], where: str) -> Media:
    name = str(entry.get("filename") or "")
    if entry.get("file_id"):
        return Media("file", file_id=str(entry["file_id"]), name=name)
    if entry.get("file_url"):
        return Media("file", url=_string(entry, "file_url", where), name=name)
    return read_url("file", _string(entry, "file_data", where), name=name)


def _string(held: dict[str, Any], name: str, where: str) -> str:
    found = held.get(name)
    if not isinstance(found, str):
        raise BadRequest(f"`{where}.{name}` is a text", field=f"{where}.{name}")
    return found
