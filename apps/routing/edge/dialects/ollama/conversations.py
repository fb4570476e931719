"""Conversations, written as requests of Ollama's chat."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Effort, Reasoning, Tool, ToolChoice
from apps.routing.edge.dialects.ollama.messages import Turns, schema_of, text_of
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
# Callers of other formats who know whom they speak to say these in Ollama's own words.
_NATIVE: Final = frozenset({"keep_alive", "think"})
_OPTIONS: Final = frozenset({"min_p", "num_ctx", "num_keep", "repeat_last_n", "repeat_penalty", "typical_p"})
# Hints to a cache that Ollama's does not need, and to who looks after the users.
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "cache_control"})
_BY_WORD: Final = "gpt-oss"
"""The one family that is told how much to think; the others only whether."""
_LEVELS: Final[dict[Effort, str]] = {"none": "low", "minimal": "low", "low": "low", "medium": "medium"}


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    return _encode(_Request(conversation, model, Missing(conversation, title)).members())


class _Request:
    """One request in the making."""

    __slots__ = ("_body", "_conversation", "_missing", "_model", "_options")

    def __init__(self, conversation: Conversation, model: str, missing: Missing) -> None:
        self._conversation = conversation
        self._model = model
        self._missing = missing
        self._body: dict[str, Any] = {}
        self._options: dict[str, Any] = {}

    def members(self) -> dict[str, Any]:
        """Ollama streams unless it is told not to."""
        conversation, turns = self._conversation, Turns(self._missing)
        system = text_of(list(conversation.system))
        messages = [{"role": "system", "content": system}] if system else []
        for turn in conversation.turns:
            messages += turns.write(turn)
        self._body = {"model": self._model, "messages": messages, "stream": conversation.is_stream}
        self._put_tools()
        self._put_shape()
        self._put_options()
        self._put_thinking(conversation.reasoning)
        self._put_rest()
        self._note_unspeakable()
        if self._options:
            self._body["options"] = self._options
        return self._body

    def _put_tools(self) -> None:
        """Who knows of no tools calls none; that one is called cannot be said."""
        tools, choice = self._conversation.tools, self._conversation.tool_choice or ToolChoice()
        if not tools or choice.mode == "none":
            return
        if choice.mode != "auto":
            self._missing.note("tool_choice", "no tool can be forced")
        if choice.is_parallel is False:
            self._missing.note("parallel_tool_calls")
        self._body["tools"] = [_tool(tool) for tool in tools]

    def _put_shape(self) -> None:
        shape = self._conversation.shape
        if shape is not None:
            self._body["format"] = shape.schema if bytes(shape.schema) else "json"

    def _put_options(self) -> None:
        sampling = self._conversation.sampling
        said = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling.seed,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "num_predict": self._conversation.max_output,
            "stop": sampling.stop or None,
        }
        self._options = {name: value for name, value in said.items() if value is not None}
        if self._conversation.top_logprobs is not None:
            self._body |= {"logprobs": True, "top_logprobs": self._conversation.top_logprobs}

    def _put_thinking(self, reasoning: Reasoning | None) -> None:
        if reasoning is None:
            return
        if _BY_WORD in self._model:
            self._body["think"] = _LEVELS.get(reasoning.effort or "medium", "high")
            if reasoning.effort == "none":
                self._missing.note("reasoning_effort", "this model always thinks")
        else:
            self._body["think"] = reasoning.effort != "none"

    def _put_rest(self) -> None:
        for name, value in self._conversation.rest.items():
            if name == "options":
                self._options |= _object(value, name)
            elif name in _OPTIONS:
                self._options[name] = value
            elif name in _NATIVE:
                self._body[name] = value
            elif name not in _IDLE and (name, bytes(value)) != ("store", b"false"):
                self._missing.note(name)

    def _note_unspeakable(self) -> None:
        """Whose call it is stays with us: Ollama has no place for it, and answers the same without."""
        conversation = self._conversation
        wishes = {
            "n": conversation.count != 1,
            "modalities": conversation.modalities not in ([], ["text"]),
            "metadata": bool(conversation.metadata),
            "service_tier": conversation.service_tier not in {"", "auto", "default"},
            "logit_bias": bytes(conversation.sampling.logit_bias) not in {b"", b"null", b"{}"},
        }
        self._missing.note_wishes(wishes)


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description}
    return {"type": "function", "function": function | {"parameters": schema_of(tool.schema)}}


def _object(value: msgspec.Raw, name: str) -> dict[str, Any]:
    held = _decode(value)
    if not isinstance(held, dict):
        raise BadRequest(f"`{name}` is an object", field=name)
    return held
