"""Content blocks of Anthropic's messages: read into parts of a conversation, and written from them."""

import base64
import re
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media, Part, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.seals import find_googles_seal
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

Unspoken = dict[str, msgspec.Raw]
"""What only Anthropic has, by the name it is refused by elsewhere."""

_raw: Final = msgspec.json.Encoder().encode
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# How the bytes of pictures begin, in base64.
_BEGINNINGS: Final = {"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lG": "image/gif", "UklG": "image/webp"}
_OFFERS: Final = {"tool_addition": True, "tool_removal": False}
_NO_IDENTIFIER: Final = re.compile(r"[^a-zA-Z0-9_-]")


# ── Read ─────────────────────────────────────────────────────────────────────
class Blocks:
    """Reads the blocks of one request; knows the calls it has seen, whose results do not repeat the tool's name."""

    __slots__ = ("_names", "defined", "offers", "unspoken")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.unspoken: Unspoken = {}
        self.offers: dict[str, bool] = {}
        """Tools that were shown or taken away, by name; the last word counts."""
        self.defined: list[tuple[str, dict[str, Any]]] = []
        """Tools that stand among the blocks, each with where it stands."""

    def read(self, content: Any, where: str) -> list[Part]:
        """Raises BadRequest for what is no content."""
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise BadRequest(f"{where}: Input should be a string or a list of blocks", field=where)
        parts: list[Part] = []
        for place, block in enumerate(content):
            parts += self._block(block, f"{where}.{place}")
        return parts

    def _block(self, block: Any, where: str) -> list[Part]:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise BadRequest(f"{where}.type: Field required", field=f"{where}.type")
        kind = block["type"]
        ttl = read_ttl(block.get("cache_control"))
        if kind == "text":
            return [Text(_string(block, "text", where), ttl)]
        if kind in {"image", "document"}:
            return self._media(block, where, ttl)
        if kind == "tool_use":
            return [self._call(block, where, ttl)]
        if kind == "tool_result":
            return [self._result(block, where, ttl)]
        return self._rarer(kind, block, where)

    def _rarer(self, kind: str, block: dict[str, Any], where: str) -> list[Part]:
        if kind == "thinking":
            return [Thought(_string(block, "thinking", where), signature=str(block.get("signature") or ""))]
        if kind == "redacted_thinking":
            return [Thought(sealed=_string(block, "data", where))]
        if kind == "search_result":
            head = f"{block.get('title') or ''}\n{block.get('source') or ''}".strip()
            return [Text(head), *self.read(block.get("content") or [], f"{where}.content")]
        if kind == "tool_reference":
            name = _string(block, "tool_name", where)
            self.offers[name] = True
            return [Text(name)]
        if kind not in _OFFERS or not self._offered(block.get("tool"), f"{where}.tool", is_there=_OFFERS[kind]):
            self.unspoken[f"messages.content.{kind[:60]}"] = msgspec.Raw(_raw(block))
        return []

    def _offered(self, tool: Any, where: str, *, is_there: bool) -> bool:
        """False for a tool of an MCP server, which only Anthropic asks."""
        if not isinstance(tool, dict):
            raise BadRequest(f"{where}: Input should be an object", field=where)
        about = tool
        if tool.get("type") == "tool_definition" and isinstance(tool.get("definition"), dict):
            about = tool["definition"]
            self.defined.append((f"{where}.definition", about))
        elif tool.get("type") != "tool_reference":
            return False
        self.offers[_string(about, "name", where)] = is_there
        return True

    def _media(self, block: dict[str, Any], where: str, ttl: str) -> list[Part]:
        kind: Any = "image" if block["type"] == "image" else "file"
        source = block.get("source")
        if not isinstance(source, dict):
            raise BadRequest(f"{where}.source: Field required", field=f"{where}.source")
        name = str(block.get("title") or "")
        about: list[Part] = [Text(str(block["context"]))] if block.get("context") else []
        form = source.get("type")
        if form == "base64":
            mime, data = str(source.get("media_type") or ""), _string(source, "data", f"{where}.source")
            return [*about, Media(kind, mime, data, name=name, cache_ttl=ttl)]
        if form == "url":
            return [*about, Media(kind, url=_string(source, "url", f"{where}.source"), name=name, cache_ttl=ttl)]
        if form == "file":
            return [*about, Media(kind, file_id=_string(source, "file_id", where), name=name, cache_ttl=ttl)]
        if form == "text":
            return [*about, Text(_string(source, "data", f"{where}.source"), ttl)]
        if form == "content":
            return [*about, *self.read(source.get("content"), f"{where}.source.content")]
        raise BadRequest(f"{where}.source.type: `{str(form)[:40]}` is not known", field=f"{where}.source.type")

    def _call(self, block: dict[str, Any], where: str, ttl: str) -> ToolCall:
        call_id, name = _string(block, "id", where), _string(block, "name", where)
        self._names[call_id] = name
        return ToolCall(call_id, name, _raw(block.get("input") or {}).decode(), cache_ttl=ttl)

    def _result(self, block: dict[str, Any], where: str, ttl: str) -> ToolResult:
        call_id = _string(block, "tool_use_id", where)
        parts = [p for p in self.read(block.get("content") or "", f"{where}.content") if isinstance(p, Text | Media)]
        return ToolResult(call_id, self._names.get(call_id, ""), parts, bool(block.get("is_error")), ttl)


def read_ttl(mark: Any) -> str:
    return str(mark.get("ttl") or "5m") if isinstance(mark, dict) and mark.get("type") == "ephemeral" else ""


def _string(block: dict[str, Any], name: str, where: str) -> str:
    found = block.get(name)
    if not isinstance(found, str):
        raise BadRequest(f"{where}.{name}: Input should be a string", field=f"{where}.{name}")
    return found


# ── Write ────────────────────────────────────────────────────────────────────
def write_turn(turn: Turn, missing: Missing) -> dict[str, Any] | None:
    """None for a turn of which nothing is left: Anthropic takes no empty message.

    Results come first, right behind the calls they answer.
    """
    parts = sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult)) if turn.role == "user" else turn.parts
    blocks = [block for part in parts if (block := _write(part, missing)) is not None]
    if not blocks:
        return None
    return {"role": turn.role, "content": _plain(blocks)}


def write_texts(texts: list[Text]) -> str | list[dict[str, Any]]:
    return _plain([_text(text) for text in texts if text.text])


def mark(ttl: str) -> dict[str, Any]:
    """What the provider is asked to keep ends here. An age it does not have is the one it gives unasked."""
    if not ttl:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": "1h"} if ttl == "1h" else {"type": "ephemeral"}}


def input_of(arguments: str) -> msgspec.Raw:
    """Anthropic takes an object; what a model wrote otherwise is shown as it is under one name."""
    text = arguments.strip() or "{}"
    try:
        held = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        held = None
    return msgspec.Raw(text.encode() if isinstance(held, dict) else _raw({"arguments": arguments}))


def identifier(call_id: str) -> str:
    """Anthropic's ids are letters, digits, `_` and `-`; the same id becomes the same everywhere."""
    return _NO_IDENTIFIER.sub("_", call_id) or "call"


def _plain(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    is_plain = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
    return str(blocks[0]["text"]) if is_plain else blocks


def _write(part: Part, missing: Missing) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return _text(part) if part.text else None
    if isinstance(part, Media):
        return _media(part, missing)
    if isinstance(part, Thought):
        return _thought(part)
    if isinstance(part, ToolCall):
        call = {"type": "tool_use", "id": identifier(part.id), "name": part.name, "input": input_of(part.arguments)}
        return call | mark(part.cache_ttl)
    return _result(part, missing)


def _text(part: Text) -> dict[str, Any]:
    return {"type": "text", "text": part.text} | mark(part.cache_ttl)


def _thought(part: Thought) -> dict[str, Any] | None:
    """Only what Anthropic sealed itself; thoughts of other models have no place here."""
    if part.sealed:
        return {"type": "redacted_thinking", "data": part.sealed}
    if part.signature and not find_googles_seal(part.signature):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _result(part: ToolResult, missing: Missing) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": identifier(part.call_id)}
    inner = [_unmarked(held) for held in part.parts] if part.cache_ttl else part.parts
    blocks = [block for held in inner if (block := _write(held, missing)) is not None]
    if blocks:
        result["content"] = _plain(blocks)
    if part.is_error:
        result["is_error"] = True
    return result | mark(part.cache_ttl)


def _unmarked(part: Text | Media) -> Text | Media:
    """One mark for the whole result is enough: a request has but four."""
    return msgspec.structs.replace(part, cache_ttl="")


def _media(part: Media, missing: Missing) -> dict[str, Any] | None:
    if part.kind == "image":
        source = _image_source(part, missing)
    elif part.kind == "file":
        source = _document_source(part, missing)
    else:
        missing.note(f"messages.content.{part.kind}")
        return None
    if source is None:
        return None
    block: dict[str, Any] = {"type": "image" if part.kind == "image" else "document", "source": source}
    if part.name and part.kind == "file":
        block["title"] = part.name
    return block | mark(part.cache_ttl)


def _image_source(part: Media, missing: Missing) -> dict[str, Any] | None:
    if not part.data:
        return _elsewhere(part)
    mime = "image/jpeg" if part.mime == "image/jpg" else part.mime or _mime_of(part.data)
    if mime not in _IMAGES:
        missing.note("messages.content.image", f"of type {mime or 'unknown'}")
        return None
    return {"type": "base64", "media_type": mime, "data": part.data}


def _document_source(part: Media, missing: Missing) -> dict[str, Any] | None:
    if not part.data:
        return _elsewhere(part)
    if part.mime in {"", "application/pdf"}:
        return {"type": "base64", "media_type": "application/pdf", "data": part.data}
    if part.mime.startswith("text/") or part.mime == "application/json":
        return {"type": "text", "media_type": "text/plain", "data": _text_of(part.data)}
    missing.note("messages.content.file", f"of type {part.mime}")
    return None


def _elsewhere(part: Media) -> dict[str, Any]:
    return {"type": "file", "file_id": part.file_id} if part.file_id else {"type": "url", "url": part.url}


def _mime_of(data: str) -> str:
    return next((mime for beginning, mime in _BEGINNINGS.items() if data.startswith(beginning)), "")


def _text_of(data: str) -> str:
    try:
        return base64.b64decode(data).decode(errors="replace")
    except ValueError as error:
        raise BadRequest("A file's data is not valid base64", field="messages.content.file") from error
