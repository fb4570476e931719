"""Messages of Cohere's chat, written from the turns of a conversation."""

from typing import Any, Final

from apps.routing.edge.conversation import Media, Text, Thought, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.data_urls import data_url
from apps.routing.edge.dialects.speech import Missing

Message = dict[str, Any]

_NO_ARGUMENTS: Final = "{}"


def write_system(texts: list[Text]) -> list[Message]:
    return [{"role": "system", "content": text.text} for text in texts if text.text]


def write_turn(turn: Turn, missing: Missing) -> list[Message]:
    """Results come first, right behind the calls they answer, each as a message of its own."""
    if turn.role == "assistant":
        return _answered(turn)
    results = [_result(part, missing) for part in turn.parts if isinstance(part, ToolResult)]
    content = [block for part in turn.parts if (block := _block(part, missing)) is not None]
    return [*results, {"role": "user", "content": _plain(content)}] if content else results


def _answered(turn: Turn) -> list[Message]:
    """What was thought before calls is called their plan; other thoughts are not asked for again."""
    text = "".join(part.text for part in turn.parts if isinstance(part, Text))
    calls = [_call(part) for part in turn.parts if isinstance(part, ToolCall)]
    plan = "".join(part.text for part in turn.parts if isinstance(part, Thought) and not part.signature)
    message: Message = {"role": "assistant"}
    if text:
        message["content"] = text
    if calls:
        message["tool_calls"] = calls
        message |= {"tool_plan": plan} if plan else {}
    return [message] if text or calls else []


def _call(part: ToolCall) -> Message:
    function = {"name": part.name, "arguments": part.arguments.strip() or _NO_ARGUMENTS}
    return {"id": part.id, "type": "function", "function": function}


def _result(part: ToolResult, missing: Missing) -> Message:
    for held in part.parts:
        if isinstance(held, Media):
            missing.note(f"messages.content.{held.kind}", "a tool's result is text")
    text = "\n".join(held.text for held in part.parts if isinstance(held, Text))
    return {"role": "tool", "tool_call_id": part.call_id, "content": text}


def _block(part: Any, missing: Missing) -> Message | None:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text} if part.text else None
    if not isinstance(part, Media):
        return None
    address = data_url(part) if part.data else part.url
    if part.kind != "image" or not address:
        missing.note(f"messages.content.{part.kind}")
        return None
    image = {"url": address} | ({"detail": part.detail} if part.detail else {})
    return {"type": "image_url", "image_url": image}


def _plain(content: list[Message]) -> str | list[Message]:
    is_plain = len(content) == 1 and content[0]["type"] == "text"
    return str(content[0]["text"]) if is_plain else content
