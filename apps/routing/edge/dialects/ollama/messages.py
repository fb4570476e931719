"""Messages of Ollama's chat, written from the turns of a conversation."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Media, Part, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.anthropic.blocks import input_of
from apps.routing.edge.dialects.speech import Missing

Message = dict[str, Any]

_BETWEEN: Final = "\n"


class Turns:
    """Writes the turns of one request; knows the calls it has written, since a result must say the tool's name."""

    __slots__ = ("_missing", "_names")

    def __init__(self, missing: Missing) -> None:
        self._missing = missing
        self._names: dict[str, str] = {}

    def write(self, turn: Turn) -> list[Message]:
        """Results come first, right behind the calls they answer, each as a message of its own."""
        results = [self._result(part) for part in turn.parts if isinstance(part, ToolResult)]
        message = self._message(turn.role, [part for part in turn.parts if not isinstance(part, ToolResult)])
        return results if message is None else [*results, message]

    def _message(self, role: str, parts: list[Part]) -> Message | None:
        """Thoughts that nobody sealed go back: models that think while they call tools want them."""
        said: Message = {"role": role, "content": text_of(parts)}
        thoughts = "".join(part.text for part in parts if isinstance(part, Thought) and not part.signature)
        images = self._images(parts)
        calls = [self._call(part) for part in parts if isinstance(part, ToolCall)]
        more = {"thinking": thoughts, "images": images, "tool_calls": calls}
        said |= {name: value for name, value in more.items() if value}
        return said if said["content"] or images or calls else None

    def _call(self, call: ToolCall) -> Message:
        self._names[call.id] = call.name
        return {"function": {"name": call.name, "arguments": input_of(call.arguments)}}

    def _result(self, result: ToolResult) -> Message:
        name = result.name or self._names.get(result.call_id, "")
        said: Message = {"role": "tool", "content": text_of(list(result.parts)), "tool_name": name}
        images = self._images(list(result.parts))
        return said | ({"images": images} if images else {})

    def _images(self, parts: list[Part]) -> list[str]:
        found = []
        for part in parts:
            if isinstance(part, Media) and part.kind == "image" and part.data:
                found.append(part.data)
            elif isinstance(part, Media):
                why = "what is not in the request" if part.kind == "image" else ""
                self._missing.note(f"messages.content.{part.kind}", why)
        return found


def text_of(parts: list[Part]) -> str:
    return _BETWEEN.join(part.text for part in parts if isinstance(part, Text))


def schema_of(schema: msgspec.Raw) -> Any:
    return schema if bytes(schema) not in {b"", b"null"} else {"type": "object", "properties": {}}
