"""Conversations, written as Anthropic's messages requests for the generation of Claude that is asked."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Sampling, Shape, Tool, ToolChoice
from apps.routing.edge.dialects.anthropic.blocks import mark, write_texts, write_turn
from apps.routing.edge.dialects.anthropic.generations import Generation, generation_of
from apps.routing.edge.dialects.anthropic.sampling import sampling_of
from apps.routing.edge.dialects.anthropic.thinking import Thinking, thinking_of
from apps.routing.edge.dialects.anthropic.wire import ANSWER_TOOL
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
_ANY_OBJECT: Final = {"type": "object", "properties": {}}
# Callers of other formats who know whom they speak to say these in Anthropic's own words.
_NATIVE: Final = frozenset(
    {
        "cache_control",
        "container",
        "context_management",
        "inference_geo",
        "mcp_servers",
        "output_config",
        "speed",
        "thinking",
    }
)
# Hints to a cache that Anthropic's does not need.
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention"})
_TIERS: Final = {"auto": "auto", "default": "standard_only"}
_CLOSED: Final = ("properties", "$defs", "definitions")


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    try:
        return _encode(_Request(conversation, model, Missing(conversation, title)).members())
    except RecursionError as error:
        raise BadRequest("A schema is nested too deeply") from error


class _Request:
    """One request in the making."""

    __slots__ = ("_body", "_conversation", "_generation", "_missing", "_model", "_thinking")

    def __init__(self, conversation: Conversation, model: str, missing: Missing) -> None:
        self._conversation = conversation
        self._model = model
        self._missing = missing
        self._generation: Generation = generation_of(model)
        self._thinking: Thinking = thinking_of(conversation, self._generation, missing)
        self._body: dict[str, Any] = {}

    def members(self) -> dict[str, Any]:
        conversation, missing = self._conversation, self._missing
        turns = (write_turn(turn, missing) for turn in conversation.turns)
        self._body = {
            "model": self._model,
            "max_tokens": self._thinking.max_tokens,
            "messages": [turn for turn in turns if turn is not None],
        }
        if any(text.text for text in conversation.system):
            self._body["system"] = write_texts(conversation.system)
        self._body |= self._thinking.members()
        self._put_tools()
        self._put_shape()
        self._put_sampling(conversation.sampling)
        self._put_wishes()
        self._missing.note_fine_control(self._conversation)
        if conversation.is_stream:
            self._body["stream"] = True
        return self._body

    def _put_tools(self) -> None:
        tools, choice = self._conversation.tools, self._conversation.tool_choice
        if not tools:
            return
        if choice is not None and choice.mode == "named" and len(choice.names) > 1:
            tools = [tool for tool in tools if tool.name in choice.names]
        self._body["tools"] = [self._tool(tool) for tool in tools]
        said = None if choice is None else _tool_choice(choice)
        if said is not None:
            self._put_choice(said)

    def _put_choice(self, choice: dict[str, Any]) -> None:
        """Who thinks cannot be made to call a tool."""
        is_forced = choice["type"] in {"any", "tool"}
        if is_forced and (self._thinking.is_on or not self._generation.takes_forced_tools):
            self._missing.note("tool_choice", "a tool cannot be forced while this model thinks")
        else:
            self._body["tool_choice"] = choice

    def _tool(self, tool: Tool) -> dict[str, Any]:
        found: dict[str, Any] = {"name": tool.name}
        if tool.description:
            found["description"] = tool.description
        found["input_schema"] = _input_schema(tool.schema)
        if tool.is_strict is not None and self._generation.takes_schema:
            found["strict"] = tool.is_strict
        elif tool.is_strict:
            self._missing.note("tools.function.strict")
        return found | mark(tool.cache_ttl)

    def _put_shape(self) -> None:
        shape = self._conversation.shape
        if shape is None:
            return
        if shape.kind == "schema" and self._generation.takes_schema:
            schema = closed(_decode(shape.schema)) if bytes(shape.schema) else _ANY_OBJECT
            config = self._body.setdefault("output_config", {})
            config["format"] = {"type": "json_schema", "schema": schema}
        elif self._thinking.is_on or not self._generation.takes_forced_tools:
            self._missing.note("response_format", "this model cannot be held to JSON without a schema while it thinks")
        else:
            self._answer_by_tool(shape)

    def _answer_by_tool(self, shape: Shape) -> None:
        """The caller's own tools may be called first; the answer itself is then a call too."""
        about = shape.description or "Gives the answer to the user, as JSON."
        answer = {"name": ANSWER_TOOL, "description": about, "input_schema": _input_schema(shape.schema)}
        own = self._body.get("tools", [])
        self._body["tools"] = [*own, answer]
        self._body["tool_choice"] = {"type": "any"} if own else {"type": "tool", "name": ANSWER_TOOL}

    def _put_sampling(self, sampling: Sampling) -> None:
        self._body |= sampling_of(sampling, self._generation, self._missing, is_thinking=self._thinking.is_on)
        if sampling.stop:
            self._body["stop_sequences"] = sampling.stop

    def _put_wishes(self) -> None:
        conversation = self._conversation
        metadata = dict(conversation.metadata)
        user = conversation.user or str(metadata.pop("user_id", ""))
        if user:
            self._body["metadata"] = {"user_id": user}
        if metadata:
            self._missing.note("metadata")
        if conversation.service_tier in _TIERS:
            self._body["service_tier"] = _TIERS[conversation.service_tier]
        elif conversation.service_tier:
            self._missing.note("service_tier")
        self._put_rest()

    def _put_rest(self) -> None:
        for name, value in self._conversation.rest.items():
            if name == "output_config":
                self._body[name] = {**_object(value, name), **self._body.get(name, {})}
            elif name in _NATIVE:
                self._body.setdefault(name, value)
            elif name == "safety_identifier":
                self._body.setdefault("metadata", {"user_id": _decode(value)})
            elif name not in _IDLE and (name, bytes(value)) != ("store", b"false"):
                self._missing.note(name)


def _object(value: msgspec.Raw, name: str) -> dict[str, Any]:
    held = _decode(value)
    if not isinstance(held, dict):
        raise BadRequest(f"`{name}` is an object", field=name)
    return held


def _tool_choice(choice: ToolChoice) -> dict[str, Any] | None:
    if choice.mode == "none":
        return {"type": "none"}
    if choice.mode == "auto" and choice.is_parallel is None:
        return {"type": "auto"}
    said: dict[str, Any] = {"type": {"auto": "auto", "required": "any", "named": "any"}[choice.mode]}
    if choice.mode == "named" and len(choice.names) == 1:
        said = {"type": "tool", "name": choice.names[0]}
    if choice.is_parallel is not None:
        said["disable_parallel_tool_use"] = not choice.is_parallel
    return said


def _input_schema(schema: msgspec.Raw) -> Any:
    """Anthropic wants the word that the input is an object, which other providers take as said."""
    if not bytes(schema) or bytes(schema) == b"null":
        return _ANY_OBJECT
    held = _decode(schema)
    return {"type": "object", **held} if isinstance(held, dict) and "type" not in held else schema


def closed(schema: Any) -> Any:
    """Anthropic's schemas of answers leave nothing open; what fits the closed one fits the caller's own."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(held) if isinstance(held, dict | list) else held for name, held in schema.items()}
    for name in _CLOSED:
        if isinstance(schema.get(name), dict):
            found[name] = {key: closed(held) for key, held in schema[name].items()}
    if schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found
