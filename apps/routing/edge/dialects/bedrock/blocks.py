"""Content blocks of Bedrock's Converse API, written from the parts of a conversation."""

import base64
import hashlib
import re
from typing import Any, Final

from apps.routing.edge.conversation import Media, Part, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.anthropic.blocks import identifier, input_of
from apps.routing.edge.dialects.bedrock.families import Family
from apps.routing.edge.dialects.seals import find_googles_seal
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

Block = dict[str, Any]

_IMAGES: Final = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
_VIDEOS: Final = {
    "x-matroska": "mkv",
    "quicktime": "mov",
    "mp4": "mp4",
    "webm": "webm",
    "x-flv": "flv",
    "mpeg": "mpeg",
    "x-ms-wmv": "wmv",
    "3gpp": "three_gp",
}
_SOUNDS: Final = {
    "mp3": "mp3",
    "mpeg": "mp3",
    "wav": "wav",
    "x-wav": "wav",
    "aac": "aac",
    "flac": "flac",
    "mp4": "mp4",
    "ogg": "ogg",
    "opus": "opus",
    "webm": "webm",
    "pcm": "pcm",
}
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
# How the bytes of pictures begin, in base64.
_BEGINNINGS: Final = {"/9j/": "jpeg", "iVBOR": "png", "R0lG": "gif", "UklG": "webp"}
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+")
_LONGEST_NAME: Final = 200
_LONGEST_ID: Final = 64
_S3: Final = "s3://"


class Turns:
    """Writes the turns of one request. Documents are told apart by their names, which must differ."""

    __slots__ = ("_family", "_missing", "_names")

    def __init__(self, family: Family, missing: Missing) -> None:
        self._family = family
        self._missing = missing
        self._names: set[str] = set()

    def write(self, turn: Turn) -> Block | None:
        """None for a turn of which nothing is left: Bedrock takes no empty message.

        Results come first, right behind the calls they answer.
        """
        parts = turn.parts
        if turn.role == "user":
            parts = sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult))
        blocks = [block for part in parts for block in self._part(part)]
        return {"role": turn.role, "content": blocks} if blocks else None

    def _part(self, part: Part) -> list[Block]:
        if isinstance(part, Thought):
            return _thought(part)
        block = self._block(part)
        return [] if block is None else [block, *mark(part.cache_ttl, "messages", self._family)]

    def _block(self, part: Text | Media | ToolCall | ToolResult) -> Block | None:
        if isinstance(part, Text):
            return text_of(part)
        if isinstance(part, Media):
            return self._media(part)
        if isinstance(part, ToolCall):
            call = {"toolUseId": call_id(part.id), "name": part.name, "input": input_of(part.arguments)}
            return {"toolUse": call}
        return self._result(part)

    def _result(self, result: ToolResult) -> Block:
        held = [self._block(part) for part in result.parts]
        said: Block = {"toolUseId": call_id(result.call_id), "content": [block for block in held if block is not None]}
        if result.is_error and self._family.hears_of_failed_tools:
            said["status"] = "error"
        return {"toolResult": said}

    def _media(self, part: Media) -> Block | None:
        form = _form(part)
        if not form:
            self._missing.note(f"messages.content.{part.kind}", f"of type {part.mime or 'unknown'}")
            return None
        source = self._source(part)
        if source is None:
            return None
        if part.kind != "file":
            return {part.kind: {"format": form, "source": source}}
        return {"document": {"format": form, "name": self._name(part.name), "source": source}}

    def _source(self, part: Media) -> Block | None:
        if part.data:
            return {"bytes": _whole(part)}
        if part.url.startswith(_S3):
            return {"s3Location": {"uri": part.url}}
        self._missing.note(f"messages.content.{part.kind}", "what is not in the request must be at an s3:// address")
        return None

    def _name(self, given: str) -> str:
        """Letters, digits, single spaces, hyphens and brackets are all that Bedrock takes."""
        plain = " ".join(_NO_NAME.sub("-", given.rpartition(".")[0] or given).split())[: _LONGEST_NAME - 8]
        name, count = plain or "document", 1
        while name in self._names:
            count += 1
            name = f"{plain or 'document'} ({count})"
        self._names.add(name)
        return name


def text_of(text: Text) -> Block | None:
    """What is blank is refused."""
    return {"text": text.text} if text.text.strip() else None


def mark(ttl: str, place: str, family: Family) -> list[Block]:
    """What is asked to be kept ends here; who keeps nothing answers the same without being asked."""
    if not ttl or place not in family.keeps:
        return []
    point = {"type": "default", "ttl": "1h"} if ttl == "1h" and ttl in family.kept_for else {"type": "default"}
    return [{"cachePoint": point}]


def call_id(given: str) -> str:
    """The same id becomes the same everywhere; a longer one than Bedrock takes is known by its sum."""
    found = identifier(given)
    if len(found) <= _LONGEST_ID:
        return found
    return f"{found[:31]}-{hashlib.sha256(given.encode()).hexdigest()[:32]}"


def _thought(part: Thought) -> list[Block]:
    """Only what its model sealed itself; thoughts of other models have no place here."""
    if part.sealed:
        return [{"reasoningContent": {"redactedContent": part.sealed}}]
    if part.signature and not find_googles_seal(part.signature):
        return [{"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}]
    return []


def _form(part: Media) -> str:
    """Bedrock's word for how it is written, or nothing where it has none."""
    mime = part.mime.partition(";")[0].lower()
    if part.kind == "file":
        return _DOCUMENTS.get(mime or "application/pdf", "txt" if mime.startswith("text/") else "")
    ending = part.url.partition("?")[0].rpartition(".")[2].lower() if part.url else ""
    short = mime.partition("/")[2] or ending
    if part.kind == "image":
        begun = next((form for beginning, form in _BEGINNINGS.items() if part.data.startswith(beginning)), "")
        return _IMAGES.get(short, begun if not short else "")
    forms = _VIDEOS if part.kind == "video" else _SOUNDS
    return forms.get(short, short if not mime and short in forms.values() else "")


def _whole(part: Media) -> str:
    """Bedrock refuses bytes that are no base64 without saying where they stood."""
    try:
        base64.b64decode(part.data, validate=True)
    except ValueError as error:
        field = f"messages.content.{part.kind}"
        raise BadRequest("What is sent along is not valid base64", field=field) from error
    return part.data
