"""Conversations, written as requests of Bedrock's Converse API for the family of models that is asked."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import (
    Conversation,
    Effort,
    Reasoning,
    Shape,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from apps.routing.edge.dialects.anthropic.conversations import closed
from apps.routing.edge.dialects.anthropic.generations import Generation
from apps.routing.edge.dialects.anthropic.sampling import sampling_of
from apps.routing.edge.dialects.anthropic.thinking import Thinking, thinking_of
from apps.routing.edge.dialects.anthropic.wire import ANSWER_TOOL
from apps.routing.edge.dialects.bedrock.blocks import Turns, mark, text_of
from apps.routing.edge.dialects.bedrock.families import family_of
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
_ANY_OBJECT: Final = {"type": "object", "properties": {}}
# Callers of other formats who know whom they speak to say these in Bedrock's own words.
_NATIVE: Final = frozenset({"guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata"})
_OF_MODEL: Final = "additionalModelRequestFields"
# Hints to a cache that Bedrock's does not need, and to who looks after the users.
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "cache_control"})
_TIERS: Final = frozenset({"default", "flex", "priority"})
_LEVELS: Final[dict[Effort, str]] = {"minimal": "low", "low": "low", "medium": "medium"}


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    try:
        return _encode(_Request(conversation, model, Missing(conversation, title)).members())
    except RecursionError as error:
        raise BadRequest("A schema is nested too deeply") from error


class _Request:
    """One request in the making. `_fields` is what Bedrock hands on to the model unread."""

    __slots__ = ("_body", "_conversation", "_family", "_fields", "_inference", "_missing", "_thinking")

    def __init__(self, conversation: Conversation, model: str, missing: Missing) -> None:
        self._conversation = conversation
        self._missing = missing
        self._family = family_of(model)
        self._body: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        self._inference: dict[str, Any] = {}
        self._thinking: Thinking | None = None

    def members(self) -> dict[str, Any]:
        conversation = self._conversation
        turns = Turns(self._family, self._missing)
        written = (turns.write(turn) for turn in conversation.turns)
        self._body["messages"] = [turn for turn in written if turn is not None]
        self._put_system()
        if self._family.claude is not None:
            self._put_claudes(self._family.claude)
        else:
            self._put_others()
        self._put_tools()
        self._put_shape()
        self._put_wishes()
        self._missing.note_fine_control(self._conversation)
        if self._inference:
            self._body["inferenceConfig"] = self._inference
        if self._fields:
            self._body[_OF_MODEL] = self._fields
        return self._body

    def _put_system(self) -> None:
        blocks = []
        for text in self._conversation.system:
            block = text_of(text)
            if block is not None:
                blocks += [block, *mark(text.cache_ttl, "system", self._family)]
        if blocks:
            self._body["system"] = blocks

    # ── How words are drawn, and how much is thought ─────────────────────────
    def _put_claudes(self, generation: Generation) -> None:
        """What Anthropic's own service takes too, in Anthropic's words where Bedrock has none."""
        conversation, missing = self._conversation, self._missing
        thinking = self._thinking = thinking_of(conversation, generation, missing)
        said = sampling_of(conversation.sampling, generation, missing, is_thinking=thinking.is_on)
        self._put_inference(thinking.max_tokens, said.get("temperature"), said.get("top_p"))
        if "top_k" in said:
            self._fields["top_k"] = said["top_k"]
        if thinking.config:
            self._fields["thinking"] = thinking.config
        if thinking.effort:
            self._body["outputConfig"] = {"effort": thinking.effort}
        if conversation.sampling.stop:  # which of them it was, is said only to who asks
            self._body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]

    def _put_others(self) -> None:
        sampling, temperature = self._conversation.sampling, self._conversation.sampling.temperature
        if temperature is not None and temperature > 1:
            self._missing.note("temperature", "above 1")
            temperature = None
        self._put_inference(self._conversation.max_output, temperature, sampling.top_p)
        if sampling.top_k is not None and self._family.name == "nova":
            self._fields["inferenceConfig"] = {"topK": sampling.top_k}
        elif sampling.top_k is not None:
            self._missing.note("top_k")
        self._put_reasoning(self._conversation.reasoning)

    def _put_inference(self, max_tokens: int | None, temperature: float | None, top_p: float | None) -> None:
        stop = self._conversation.sampling.stop or None
        said = {"maxTokens": max_tokens, "temperature": temperature, "topP": top_p, "stopSequences": stop}
        self._inference = {name: value for name, value in said.items() if value is not None}

    def _put_reasoning(self, reasoning: Reasoning | None) -> None:
        if reasoning is None:
            return
        level = _LEVELS.get(reasoning.effort or "medium", "high")
        is_off = reasoning.effort == "none"
        if self._family.name == "nova":
            wish = {"type": "disabled"} if is_off else {"type": "enabled", "maxReasoningEffort": level}
            self._fields["reasoningConfig"] = wish
        elif self._family.name == "gpt-oss" and not is_off:
            self._fields["reasoning_effort"] = level
        elif not is_off or self._family.name == "gpt-oss":
            self._missing.note("reasoning_effort", "this model is not known to be told how much to think")

    # ── Tools, and the shape of the answer ───────────────────────────────────
    def _put_tools(self) -> None:
        tools, choice = self._conversation.tools, self._conversation.tool_choice or ToolChoice()
        if not tools:
            return
        if choice.mode == "none":
            if not self._has_calls():
                return  # who knows of no tools calls none
            self._missing.note("tool_choice", "after calls its tools cannot be forbidden")
        if choice.mode == "named" and len(choice.names) > 1:
            tools = [tool for tool in tools if tool.name in choice.names]
        if choice.is_parallel is False:
            self._missing.note("parallel_tool_calls")
        written = [block for tool in tools for block in self._tool(tool)]
        self._body["toolConfig"] = {"tools": written}
        if self._conversation.tool_choice is not None and choice.mode != "none":
            self._put_choice(_tool_choice(choice))

    def _has_calls(self) -> bool:
        parts = (part for turn in self._conversation.turns for part in turn.parts)
        return any(isinstance(part, ToolCall | ToolResult) for part in parts)

    def _put_choice(self, choice: dict[str, Any]) -> None:
        """Who thinks cannot be made to call a tool."""
        if "auto" not in choice and not self._can_be_forced():
            self._missing.note("tool_choice", "a tool cannot be forced while this model thinks")
        else:
            self._body["toolConfig"]["toolChoice"] = choice

    def _can_be_forced(self) -> bool:
        is_thinking = self._thinking is not None and self._thinking.is_on
        return not is_thinking and (self._family.claude is None or self._family.claude.takes_forced_tools)

    def _tool(self, tool: Tool) -> list[dict[str, Any]]:
        found: dict[str, Any] = {"name": tool.name}
        if tool.description.strip():
            found["description"] = tool.description
        found["inputSchema"] = {"json": _input_schema(tool.schema)}
        if tool.is_strict and not self._family.takes_schema:
            self._missing.note("tools.function.strict")
        elif tool.is_strict is not None and self._family.takes_schema:
            found["strict"] = tool.is_strict
        return [{"toolSpec": found}, *mark(tool.cache_ttl, "tools", self._family)]

    def _put_shape(self) -> None:
        shape = self._conversation.shape
        if shape is None:
            return
        if shape.kind == "schema" and self._family.takes_schema:
            schema = closed(_decode(shape.schema)) if bytes(shape.schema) else _ANY_OBJECT
            told = {"schema": _encode(schema).decode(), "name": shape.name, "description": shape.description}
            structure = {"jsonSchema": {name: value for name, value in told.items() if value}}
            config = self._body.setdefault("outputConfig", {})
            config["textFormat"] = {"type": "json_schema", "structure": structure}
        elif self._can_be_forced():
            self._answer_by_tool(shape)
        else:
            self._missing.note("response_format", "this model cannot be held to JSON without a schema while it thinks")

    def _answer_by_tool(self, shape: Shape) -> None:
        """The caller's own tools may be called first; the answer itself is then a call too."""
        about = shape.description or "Gives the answer to the user, as JSON."
        answer = {"name": ANSWER_TOOL, "description": about, "inputSchema": {"json": _input_schema(shape.schema)}}
        own = self._body.get("toolConfig", {}).get("tools", [])
        choice = {"any": {}} if own else {"tool": {"name": ANSWER_TOOL}}
        self._body["toolConfig"] = {"tools": [*own, {"toolSpec": answer}], "toolChoice": choice}

    # ── What remains ─────────────────────────────────────────────────────────
    def _put_wishes(self) -> None:
        """Whose call it is stays with us; what else is noted of it stands in Bedrock's log of calls."""
        conversation = self._conversation
        if conversation.metadata:
            self._body["requestMetadata"] = {name: str(value) for name, value in conversation.metadata.items()}
        if conversation.service_tier in _TIERS:
            self._body["serviceTier"] = {"type": conversation.service_tier}
        elif conversation.service_tier not in {"", "auto"}:
            self._missing.note("service_tier")
        for name, value in conversation.rest.items():
            if name in _NATIVE:
                self._body[name] = value
            elif name == _OF_MODEL:
                self._fields = {**_object(value, name), **self._fields}
            elif not self._is_said(name, value):
                self._missing.note(name)

    def _is_said(self, name: str, value: msgspec.Raw) -> bool:
        if name == "thinking" and self._thinking is not None:
            return True
        return name in _IDLE or (name, bytes(value)) == ("store", b"false")


def _object(value: msgspec.Raw, name: str) -> dict[str, Any]:
    held = _decode(value)
    if not isinstance(held, dict):
        raise BadRequest(f"`{name}` is an object", field=name)
    return held


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "named" and len(choice.names) == 1:
        return {"tool": {"name": choice.names[0]}}
    return {"auto": {}} if choice.mode == "auto" else {"any": {}}


def _input_schema(schema: msgspec.Raw) -> Any:
    """Bedrock wants the word that the input is an object, which other providers take as said."""
    if not bytes(schema) or bytes(schema) == b"null":
        return _ANY_OBJECT
    held = _decode(schema)
    return {"type": "object", **held} if isinstance(held, dict) and "type" not in held else schema
