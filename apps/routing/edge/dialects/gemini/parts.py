"""Parts of Gemini's contents, written from the parts of a conversation."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media, Part, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.seals import find_googles_seal
from apps.routing.edge.dialects.speech import Missing

Written = dict[str, Any]

UNSEALED: Final = "skip_thought_signature_validator"
"""What Google's documentation gives for calls that another model made, or that nobody sealed."""
_ROLES: Final = {"user": "user", "assistant": "model"}
_MIMES: Final = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "file": "application/pdf"}
# How the bytes of pictures begin, in base64.
_BEGINNINGS: Final = {"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lG": "image/gif", "UklG": "image/webp"}
_ENDINGS: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "mp4": "video/mp4",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "txt": "text/plain",
}


class Turns:
    """Writes the turns of one request; knows the calls it has written, since a result must say the tool's name."""

    __slots__ = ("_missing", "_names", "_wants_seals")

    def __init__(self, missing: Missing, *, wants_seals: bool) -> None:
        self._missing = missing
        self._wants_seals = wants_seals
        self._names: dict[str, str] = {}

    def write(self, turn: Turn) -> Written | None:
        """None for a turn of which nothing is left: Gemini takes no empty content.

        Results come first, right behind the calls they answer.
        """
        ordered = turn.parts
        if turn.role == "user":
            ordered = sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult))
        parts: list[Written] = []
        seal = ""
        for part in ordered:
            if seal and not isinstance(part, ToolCall):
                parts.append({"text": "", "thoughtSignature": seal})
                seal = ""
            if isinstance(part, Thought):
                seal = find_googles_seal(part.signature)
            elif isinstance(part, ToolCall):
                parts.append(self._call(part, seal, is_first=not any("functionCall" in found for found in parts)))
                seal = ""
            else:
                parts += self._part(part)
        if seal:
            parts.append({"text": "", "thoughtSignature": seal})
        return {"role": _ROLES[turn.role], "parts": parts} if parts else None

    def _part(self, part: Part) -> list[Written]:
        if isinstance(part, Text):
            return [{"text": part.text}] if part.text else []
        if isinstance(part, Media):
            return self._media(part)
        return self._result(part) if isinstance(part, ToolResult) else []

    def _call(self, call: ToolCall, seal: str, *, is_first: bool) -> Written:
        """Calls made at once share the seal of the first."""
        self._names[call.id] = call.name
        written: Written = {"functionCall": {"id": call.id, "name": call.name, "args": object_of(call.arguments)}}
        signature = call.signature or seal or (UNSEALED if self._wants_seals and is_first else "")
        return written | ({"thoughtSignature": signature} if signature else {})

    def _result(self, result: ToolResult) -> list[Written]:
        """Pictures a tool gave stand beside its result, where every generation sees them."""
        text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
        name = result.name or self._names.get(result.call_id) or result.call_id
        response = {"error": text} if result.is_error else _response(text)
        pictures = [found for part in result.parts if isinstance(part, Media) for found in self._media(part)]
        return [{"functionResponse": {"id": result.call_id, "name": name, "response": response}}, *pictures]

    def _media(self, part: Media) -> list[Written]:
        if part.data:
            return [{"inlineData": {"mimeType": _mime(part), "data": part.data}}]
        address = part.url or part.file_id
        if not address:
            self._missing.note(f"messages.content.{part.kind}")
            return []
        mime = part.mime or _ENDINGS.get(address.partition("?")[0].rpartition(".")[2].lower(), "")
        return [{"fileData": {"fileUri": address} | ({"mimeType": mime} if mime else {})}]


def texts_of(texts: list[Text]) -> Written | None:
    parts = [{"text": text.text} for text in texts if text.text]
    return {"parts": parts} if parts else None


def _mime(part: Media) -> str:
    if part.mime:
        return "image/jpeg" if part.mime == "image/jpg" else part.mime
    return next((mime for beginning, mime in _BEGINNINGS.items() if part.data.startswith(beginning)), _MIMES[part.kind])


def object_of(arguments: str) -> Any:
    """Gemini takes an object; what a model wrote otherwise is shown as it is under one name."""
    text = arguments.strip() or "{}"
    try:
        held = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        held = None
    return msgspec.Raw(text.encode()) if isinstance(held, dict) else {"arguments": arguments}


def _response(text: str) -> Any:
    """An object as it is; anything else under the name that Google's documentation gives."""
    try:
        held = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        held = None
    return msgspec.Raw(text.encode()) if isinstance(held, dict) else {"result": text}
