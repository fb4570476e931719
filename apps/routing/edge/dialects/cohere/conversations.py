"""Conversations, written as requests of Cohere's chat."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Effort, Reasoning, Tool, ToolChoice
from apps.routing.edge.dialects.cohere.messages import write_system, write_turn
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_ANY_OBJECT: Final = {"type": "object", "properties": {}}
# Callers of other formats who know whom they speak to say these in Cohere's own words.
_NATIVE: Final = frozenset({"citation_options", "documents", "priority", "safety_mode", "strict_tools", "thinking"})
# Hints to a cache that Cohere's does not need, and to who looks after the users.
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "cache_control"})
_BUDGETS: Final[dict[Effort, int]] = {"minimal": 512, "low": 1024, "medium": 8192}
"""A larger wish is one without a bound."""
# Families from before reasoning, by https://docs.cohere.com/docs/models, looked up 2026-11-27.
_THOUGHTLESS: Final = ("command-r", "command-a-03", "command-a-vision", "command-a-translate", "aya")


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    try:
        return _encode(_Request(conversation, model, Missing(conversation, title)).members())
    except RecursionError as error:
        raise BadRequest("A schema is nested too deeply") from error


class _Request:
    """One request in the making."""

    __slots__ = ("_body", "_conversation", "_missing", "_model")

    def __init__(self, conversation: Conversation, model: str, missing: Missing) -> None:
        self._conversation = conversation
        self._model = model
        self._missing = missing
        self._body: dict[str, Any] = {}

    def members(self) -> dict[str, Any]:
        conversation, missing = self._conversation, self._missing
        turns = [message for turn in conversation.turns for message in write_turn(turn, missing)]
        self._body = {"model": self._model, "messages": [*write_system(conversation.system), *turns]}
        if conversation.is_stream:
            self._body["stream"] = True
        self._put_tools()
        self._put_shape()
        self._put_sampling()
        self._put_thinking(conversation.reasoning)
        self._put_rest()
        self._note_unspeakable()
        return self._body

    def _put_tools(self) -> None:
        """One tool that must be called is said by telling of no other."""
        tools, choice = self._conversation.tools, self._conversation.tool_choice or ToolChoice()
        if not tools:
            return
        if choice.mode == "named":
            tools = [tool for tool in tools if tool.name in choice.names]
        self._body["tools"] = [_tool(tool) for tool in tools]
        if any(tool.is_strict for tool in tools):
            self._body["strict_tools"] = True
        if choice.mode != "auto":
            self._body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"
        if choice.is_parallel is False:
            self._missing.note("parallel_tool_calls")

    def _put_shape(self) -> None:
        shape = self._conversation.shape
        if shape is None:
            return
        if self._conversation.tools or "documents" in self._conversation.rest:
            self._missing.note("response_format", "not together with tools or documents")
            return
        told: dict[str, Any] = {"type": "json_object"}
        self._body["response_format"] = told | ({"json_schema": shape.schema} if bytes(shape.schema) else {})

    def _put_sampling(self) -> None:
        """All of what is likely is what 1 means elsewhere; here it is said by saying nothing."""
        sampling = self._conversation.sampling
        said = {
            "max_tokens": self._conversation.max_output,
            "stop_sequences": sampling.stop or None,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "k": sampling.top_k,
            "p": None if sampling.top_p == 1 else sampling.top_p,
            "frequency_penalty": self._penalty("frequency_penalty", sampling.frequency_penalty),
            "presence_penalty": self._penalty("presence_penalty", sampling.presence_penalty),
        }
        self._body |= {name: value for name, value in said.items() if value is not None}

    def _penalty(self, name: str, value: float | None) -> float | None:
        if value is None or 0 <= value <= 1:
            return value
        self._missing.note(name, "it lies between 0 and 1")
        return None

    def _put_thinking(self, reasoning: Reasoning | None) -> None:
        if reasoning is None:
            return
        thinks = not any(name in self._model for name in _THOUGHTLESS)
        if reasoning.effort == "none":
            self._body |= {"thinking": {"type": "disabled"}} if thinks else {}
        elif thinks:
            budget = reasoning.budget_tokens or _BUDGETS.get(reasoning.effort or "max")
            config: dict[str, Any] = {"type": "enabled"}
            self._body["thinking"] = config | ({} if budget is None else {"token_budget": budget})
        else:
            self._missing.note("reasoning_effort", "this model does not think")

    def _put_rest(self) -> None:
        for name, value in self._conversation.rest.items():
            if name in _NATIVE:
                self._body[name] = value
            elif name not in _IDLE and (name, bytes(value)) != ("store", b"false"):
                self._missing.note(name)

    def _note_unspeakable(self) -> None:
        """Whose call it is stays with us: Cohere has no place for it, and answers the same without."""
        conversation = self._conversation
        wishes = {
            "n": conversation.count != 1,
            "logprobs": conversation.top_logprobs is not None,
            "modalities": conversation.modalities not in ([], ["text"]),
            "metadata": bool(conversation.metadata),
            "service_tier": conversation.service_tier not in {"", "auto", "default"},
            "logit_bias": bytes(conversation.sampling.logit_bias) not in {b"", b"null", b"{}"},
        }
        self._missing.note_wishes(wishes)


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema if bytes(tool.schema) not in {b"", b"null"} else _ANY_OBJECT
    return {"type": "function", "function": function}
