"""Conversations, written as the inputs of a prediction: most models take a prompt, and few a list of messages."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Media, Reasoning, Text, ToolCall, ToolResult, Turn
from apps.routing.edge.dialects.data_urls import data_url
from apps.routing.edge.dialects.replicate.families import Family, family_of
from apps.routing.edge.dialects.replicate.places import is_name, version_of
from apps.routing.edge.dialects.speech import CannotExpress, Missing
from brokle.kernel.errors import BadRequest

INPUT: Final = "input"
"""Callers of other formats who know the model say its inputs outright."""
_IDLE: Final = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "cache_control"})
_SPEAKERS: Final = {"user": "User", "assistant": "Assistant"}
_encode: Final = msgspec.json.encode


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    request = _Request(conversation, family_of(model), Missing(conversation, title))
    return body_of(request.inputs(), model, title)


def body_of(inputs: dict[str, Any], model: str, title: str) -> bytes:
    if not is_name(model):
        raise CannotExpress("model", title, "a model there is `owner/name`, `owner/name:version` or a version")
    version = version_of(model)
    return _encode({"version": version, INPUT: inputs} if version else {INPUT: inputs})


def said_outright(rest: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """Raises BadRequest for an `input` that is no object."""
    raw = rest.get(INPUT)
    if raw is None:
        return {}
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict):
        raise BadRequest("`input` is an object: the model's inputs by their names", field=INPUT)
    return found


class _Request:
    """One request in the making."""

    __slots__ = ("_conversation", "_family", "_inputs", "_missing")

    def __init__(self, conversation: Conversation, family: Family, missing: Missing) -> None:
        self._conversation = conversation
        self._family = family
        self._missing = missing
        self._inputs: dict[str, Any] = {}

    def inputs(self) -> dict[str, Any]:
        self._put_words()
        self._put_pictures()
        self._put_sampling()
        self._put_thinking(self._conversation.reasoning)
        self._note_unspeakable()
        return self._inputs | said_outright(self._conversation.rest)

    def _put_words(self) -> None:
        conversation, family = self._conversation, self._family
        system = "\n".join(text.text for text in conversation.system if text.text)
        if family.takes_messages and len(conversation.turns) > 1:
            told = [{"role": "system", "content": system}] if system else []
            self._inputs["messages"] = told + [
                {"role": turn.role, "content": _said(turn)} for turn in conversation.turns
            ]
            return
        prompt = _prompt(conversation.turns)
        if system and family.system:
            self._inputs[family.system] = system
        elif system:
            prompt = f"{system}\n\n{prompt}"
        self._inputs["prompt"] = prompt

    def _put_pictures(self) -> None:
        found = []
        for part in (part for turn in self._conversation.turns for part in turn.parts):
            if isinstance(part, ToolCall | ToolResult):
                self._missing.note("messages.tool_calls", "its models are told of no tools")
            elif isinstance(part, Media) and part.kind == "image" and (part.data or part.url):
                found.append(data_url(part) if part.data else part.url)
            elif isinstance(part, Media):
                self._missing.note(f"messages.content.{part.kind}")
        if found and self._family.images:
            self._inputs[self._family.images] = found
        elif len(found) == 1 and self._family.image:
            self._inputs[self._family.image] = found[0]
        elif found:
            why = "this model takes one" if self._family.image else "this model is not known to take any"
            self._missing.note("messages.content.image", why)

    def _put_sampling(self) -> None:
        conversation, family, sampling = self._conversation, self._family, self._conversation.sampling
        drawn = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling.seed,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        for name, value in drawn.items():
            if value is not None and not family.is_drawn:
                self._missing.note(name, "this model takes none")
            elif value is not None:
                self._inputs[name] = value
        if conversation.max_output is not None:
            self._inputs[family.bound] = conversation.max_output
        if sampling.stop and (not family.stop or any("," in text for text in sampling.stop)):
            self._missing.note("stop")
        elif sampling.stop:
            self._inputs[family.stop] = ",".join(sampling.stop)

    def _put_thinking(self, reasoning: Reasoning | None) -> None:
        if reasoning is None or (reasoning.effort in {None, "none"} and not reasoning.budget_tokens):
            return
        if self._family.effort and reasoning.effort is not None:
            self._inputs[self._family.effort] = reasoning.effort
        else:
            self._missing.note("reasoning_effort", "say the model's own inputs in `input`")

    def _note_unspeakable(self) -> None:
        """Whose call it is stays with us: Replicate has no place for it."""
        conversation = self._conversation
        wishes = {
            "tools": bool(conversation.tools),
            "response_format": conversation.shape is not None,
            "n": conversation.count != 1,
            "logprobs": conversation.top_logprobs is not None,
            "modalities": conversation.modalities not in ([], ["text"]),
            "metadata": bool(conversation.metadata),
            "service_tier": conversation.service_tier not in {"", "auto", "default"},
            "logit_bias": bytes(conversation.sampling.logit_bias) not in {b"", b"null", b"{}"},
        }
        self._missing.note_wishes(wishes)
        for name, value in conversation.rest.items():
            if name not in _IDLE and name != INPUT and (name, bytes(value)) != ("store", b"false"):
                self._missing.note(name)


def _prompt(turns: list[Turn]) -> str:
    """One word is itself; more of them read as a play, whose next line is the model's."""
    if len(turns) == 1:
        return _said(turns[0])
    lines = [f"{_SPEAKERS[turn.role]}: {_said(turn)}" for turn in turns]
    return "\n\n".join([*lines, "Assistant:"])


def _said(turn: Turn) -> str:
    return "\n".join(part.text for part in turn.parts if isinstance(part, Text))
