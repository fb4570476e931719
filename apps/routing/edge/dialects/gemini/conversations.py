"""Conversations, written as Gemini's generateContent requests."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Effort, Reasoning, Tool, ToolChoice
from apps.routing.edge.dialects.gemini.generations import Generation, generation_of
from apps.routing.edge.dialects.gemini.parts import Turns, texts_of
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
# The numbers and words that Google's own OpenAI-compatible service takes for each effort.
_BUDGETS: Final[dict[Effort, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
_LEVELS: Final[dict[Effort, str]] = {"minimal": "minimal", "low": "low", "medium": "medium"}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_TIERS: Final = {"default": "standard", "flex": "flex", "priority": "priority"}
# Callers of other formats who know whom they speak to say these in Google's own words.
_NATIVE: Final = {
    "cachedContent": "cachedContent",
    "cached_content": "cachedContent",
    "labels": "labels",
    "safetySettings": "safetySettings",
    "safety_settings": "safetySettings",
}
# Hints to a cache that Gemini's does not need, and to who looks after the users.
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier"})


def write_request(conversation: Conversation, model: str, *, title: str, is_in_cloud: bool = False) -> bytes:
    """In Google's cloud calls have labels, and no tiers. Raises CannotExpress."""
    try:
        return _encode(_Request(conversation, model, Missing(conversation, title), is_in_cloud=is_in_cloud).members())
    except RecursionError as error:
        raise BadRequest("A schema is nested too deeply") from error


class _Request:
    """One request in the making."""

    __slots__ = ("_body", "_config", "_conversation", "_generation", "_is_in_cloud", "_missing")

    def __init__(self, conversation: Conversation, model: str, missing: Missing, *, is_in_cloud: bool) -> None:
        self._conversation = conversation
        self._missing = missing
        self._is_in_cloud = is_in_cloud
        self._generation: Generation = generation_of(model)
        self._body: dict[str, Any] = {}
        self._config: dict[str, Any] = {}

    def members(self) -> dict[str, Any]:
        conversation = self._conversation
        turns = Turns(self._missing, wants_seals=self._generation.wants_seals)
        written = (turns.write(turn) for turn in conversation.turns)
        self._body["contents"] = [turn for turn in written if turn is not None]
        system = texts_of(conversation.system)
        if system is not None:
            self._body["systemInstruction"] = system
        self._put_tools()
        self._put_sampling()
        self._put_shape()
        self._put_thinking(conversation.reasoning)
        self._put_wishes()
        if self._config:
            self._body["generationConfig"] = self._config
        return self._body

    def _put_tools(self) -> None:
        conversation = self._conversation
        if not conversation.tools:
            return
        self._body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in conversation.tools]}]
        choice = conversation.tool_choice or ToolChoice()
        if choice.is_parallel is False and not choice.is_held:
            self._missing.note("parallel_tool_calls")
        mode = _MODES[choice.mode]
        if mode == "AUTO" and any(tool.is_strict for tool in conversation.tools):
            mode = "VALIDATED"
        if conversation.tool_choice is not None or mode == "VALIDATED":
            config: dict[str, Any] = {"mode": mode}
            if choice.mode == "named":
                config["allowedFunctionNames"] = choice.names
            self._body["toolConfig"] = {"functionCallingConfig": config}

    def _put_sampling(self) -> None:
        conversation, sampling = self._conversation, self._conversation.sampling
        given = {
            "temperature": sampling.temperature,
            "topP": sampling.top_p,
            "topK": sampling.top_k,
            "seed": sampling.seed,
            "frequencyPenalty": sampling.frequency_penalty,
            "presencePenalty": sampling.presence_penalty,
            "maxOutputTokens": conversation.max_output,
            "stopSequences": sampling.stop or None,
            "candidateCount": conversation.count if conversation.count != 1 else None,
            "responseModalities": [word.upper() for word in conversation.modalities] or None,
        }
        self._config |= {name: value for name, value in given.items() if value is not None}
        if conversation.top_logprobs is not None:
            self._config["responseLogprobs"] = True
            if conversation.top_logprobs:
                self._config["logprobs"] = conversation.top_logprobs
        if bytes(sampling.logit_bias) not in {b"", b"null", b"{}"}:
            self._missing.note("logit_bias")

    def _put_shape(self) -> None:
        shape = self._conversation.shape
        if shape is None:
            return
        if self._conversation.tools and not self._generation.takes_shape_beside_tools:
            self._missing.note("response_format", "this model cannot be held to JSON while it has tools")
            return
        self._config["responseMimeType"] = "application/json"
        if bytes(shape.schema):
            self._config["responseJsonSchema"] = shape.schema

    def _put_thinking(self, reasoning: Reasoning | None) -> None:
        if reasoning is None:
            return
        if not self._generation.thinks:
            if reasoning.effort != "none":
                self._missing.note("reasoning_effort", "this model does not think")
            return
        if reasoning.effort == "none":
            self._put_no_thinking()
            return
        config: dict[str, Any] = {"includeThoughts": reasoning.shows is not False}
        if reasoning.budget_tokens is not None:
            config["thinkingBudget"] = reasoning.budget_tokens
        elif reasoning.effort is not None and self._generation.thinks_by_level:
            config["thinkingLevel"] = _LEVELS.get(reasoning.effort, "high")
        elif reasoning.effort is not None:
            config["thinkingBudget"] = _BUDGETS[reasoning.effort]
        self._config["thinkingConfig"] = config

    def _put_no_thinking(self) -> None:
        if self._generation.always_thinks:
            self._missing.note("reasoning_effort", "this model always thinks")
        else:
            self._config["thinkingConfig"] = {"thinkingBudget": 0}

    def _put_wishes(self) -> None:
        """Whose call it is stays with us: Gemini has no place for it, and answers the same without."""
        conversation = self._conversation
        if conversation.metadata and self._is_in_cloud:
            self._body["labels"] = {name: str(value) for name, value in conversation.metadata.items()}
        elif conversation.metadata:
            self._missing.note("metadata")
        tier = conversation.service_tier
        if tier in _TIERS and not self._is_in_cloud:
            self._body["serviceTier"] = _TIERS[tier]
        elif tier not in {"", "auto"}:
            self._missing.note("service_tier")
        for name, value in conversation.rest.items():
            if name in _NATIVE:
                self._body[_NATIVE[name]] = value
            elif name == "google":
                self._put_googles(value)
            elif name not in _IDLE and (name, bytes(value)) != ("store", b"false"):
                self._missing.note(name)

    def _put_googles(self, value: msgspec.Raw) -> None:
        """The member in which Google's own OpenAI-compatible service takes what OpenAI has no word for."""
        held = _decode(value)
        if not isinstance(held, dict):
            raise BadRequest("`google` is an object", field="google")
        for name, wish in held.items():
            if name == "thinking_config" and isinstance(wish, dict):
                self._config["thinkingConfig"] = {_camel(key): inner for key, inner in wish.items()}
            elif name in _NATIVE:
                self._body[_NATIVE[name]] = wish
            else:
                self._missing.note(f"google.{name[:60]}")


def _declaration(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name}
    if tool.description:
        found["description"] = tool.description
    if bytes(tool.schema) not in {b"", b"null"}:
        found["parametersJsonSchema"] = tool.schema
    return found


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)
