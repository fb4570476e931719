"""Anthropic's messages requests: read into a conversation."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import (
    Conversation,
    Part,
    Reasoning,
    Role,
    Sampling,
    Shape,
    Text,
    Turn,
)
from apps.routing.edge.dialects.anthropic.blocks import Blocks
from apps.routing.edge.dialects.anthropic.tools import read_choice, read_tools
from apps.routing.edge.dialects.anthropic.wire import caller_of
from apps.routing.edge.dialects.speech import CannotExpress, decoded
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
# Members that are the gateway's own or are read elsewhere.
_ELSEWHERE: Final = frozenset({"model", "messages", "stream", "brokle", "drop_unsupported"})
# Wishes about the provider's own keeping and telling: elsewhere there is nothing to keep, and the answer is the same.
_HINTS: Final = frozenset({"cache_control", "context_management", "diagnostics"})
_TIERS: Final = {"standard_only": "default"}
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


class NoThreads(CannotExpress):
    """By this code Anthropic's SDKs know to send the whole conversation; to leave it out would lose its beginning."""

    code = "thread_unsupported_request"

    def __init__(self) -> None:
        BadRequest.__init__(self, "thread: only Anthropic holds conversations; send all messages", field="thread")


class _Message(msgspec.Struct):
    role: str
    content: Any = None


class MessagesBody(msgspec.Struct):
    """What has a place in a conversation; `rest` of the members is found by name."""

    messages: list[_Message]
    system: Any = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


_PLACED: Final = frozenset(MessagesBody.__struct_fields__) | _ELSEWHERE | _HINTS
_decoder: Final = msgspec.json.Decoder(MessagesBody)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_request(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    """Raises BadRequest for what is no messages request, NoThreads for a part of one."""
    try:
        return _conversation(body, is_stream=is_stream, drops_unsupported=drops_unsupported)
    except RecursionError as error:
        raise BadRequest("messages: nested too deeply", field="messages") from error


def _conversation(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    said: MessagesBody = decoded(body, _decoder)
    members = _members.decode(body)
    if bytes(members.get("thread", b"null")) != b"null":
        raise NoThreads
    blocks = Blocks()
    system = _texts(blocks.read(said.system or "", "system"), "system")
    metadata = dict(said.metadata or {})
    conversation = Conversation(
        turns=[],
        system=system,
        tool_choice=read_choice(said.tool_choice),
        sampling=Sampling(said.temperature, said.top_p, said.top_k, stop=said.stop_sequences or []),
        max_output=said.max_tokens,
        shape=_shape(said),
        reasoning=_reasoning(said.thinking, (said.output_config or {}).get("effort")),
        user=caller_of(str(metadata.pop("user_id", None) or "")).user,
        metadata=metadata,
        service_tier=_TIERS.get(said.service_tier or "", said.service_tier or ""),
        is_stream=is_stream,
        drops_unsupported=drops_unsupported,
    )
    for place, message in enumerate(said.messages):
        _take(conversation, message, blocks, f"messages.{place}")
    conversation.tools = read_tools(said.tools or [], blocks)
    unplaced = {name: value for name, value in members.items() if name not in _PLACED and bytes(value) != b"null"}
    conversation.rest = blocks.unspoken | unplaced
    return conversation


def _take(conversation: Conversation, message: _Message, blocks: Blocks, where: str) -> None:
    parts = blocks.read(message.content, f"{where}.content")
    if message.role in {"user", "assistant"}:
        _join(conversation.turns, "user" if message.role == "user" else "assistant", parts)
    elif message.role != "system":
        raise BadRequest(f"{where}.role: Input should be 'user' or 'assistant'", field=f"{where}.role")
    elif conversation.turns:  # said in the middle: other providers know a system prompt only at the start
        _join(conversation.turns, "user", parts)
    else:
        conversation.system.extend(_texts(parts, where))


def _join(turns: list[Turn], role: Role, parts: list[Part]) -> None:
    """Turns alternate: what the same side says next belongs to its turn."""
    if turns and turns[-1].role == role:
        turns[-1].parts.extend(parts)
    elif parts:
        turns.append(Turn(role, parts))


def _texts(parts: list[Part], where: str) -> list[Text]:
    if not all(isinstance(part, Text) for part in parts):
        raise BadRequest(f"{where}: A system prompt holds text only", field=where)
    return [part for part in parts if isinstance(part, Text)]


def _shape(said: MessagesBody) -> Shape | None:
    """`output_format` is where the schema stood before it moved into `output_config`."""
    given = (said.output_config or {}).get("format") or said.output_format
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") != "json_schema" or not isinstance(given.get("schema"), dict):
        raise BadRequest("output_config.format: Input should be a json_schema", field="output_config.format")
    return Shape("schema", schema=msgspec.Raw(_raw(given["schema"])), is_strict=True)


def _reasoning(thinking: dict[str, Any] | None, effort: Any) -> Reasoning | None:
    """Thinking without a measure is a Reasoning without one: as much as the model likes."""
    if effort is not None and effort not in _EFFORTS:
        raise BadRequest("output_config.effort: Input should be low, medium, high, xhigh or max", field="output_config")
    if thinking is None:
        return Reasoning(effort) if effort is not None else None
    if thinking.get("type") == "disabled":
        return Reasoning("none")
    budget, display = thinking.get("budget_tokens"), thinking.get("display")
    shows = None if display is None else display == "summarized"
    if thinking.get("type") != "enabled":
        return Reasoning(effort, shows=shows)
    if not isinstance(budget, int):
        raise BadRequest("thinking.budget_tokens: Input should be a whole number", field="thinking.budget_tokens")
    return Reasoning(effort, budget, shows)
