"""OpenAI's Responses requests: read into a conversation."""

from typing import Any, Final, get_args

import msgspec

from apps.routing.edge.conversation import Conversation, Effort, Reasoning, Sampling, Shape, Text, Thought, Turn
from apps.routing.edge.dialects.responses.items import Items, KeptElsewhere, Unspoken
from apps.routing.edge.dialects.responses.tools import read_choice, read_tools
from apps.routing.edge.dialects.speech import decoded
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
_EFFORTS: Final = get_args(Effort)
_LOGPROBS: Final = "message.output_text.logprobs"
# Members that are the gateway's own or are read elsewhere.
_ELSEWHERE: Final = frozenset({"model", "stream", "brokle", "drop_unsupported", "background"})
# Wishes about OpenAI's own keeping, telling and tools: elsewhere there is nothing of it, and the answer is the same.
_HINTS: Final = frozenset(
    {
        *("client_metadata", "context_management", "max_tool_calls"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "store", "stream_options"),
    }
)
_KEPT_FOR: Final = "5m"
_KEPT: Final = ("previous_response_id", "conversation", "prompt")
# What is said by these words is what happens anyway.
_USUAL: Final = {
    "truncation": "disabled",
    "text.verbosity": "medium",
    "reasoning.context": "auto",
    "reasoning.mode": "standard",
}


class _TextConfig(msgspec.Struct):
    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponsesBody(msgspec.Struct):
    """What has a place in a conversation; `rest` of the members is found by name."""

    input: str | list[Any] | None = None
    instructions: str | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    text: _TextConfig | None = None
    reasoning: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    truncation: str | None = None


_PLACED: Final = frozenset(ResponsesBody.__struct_fields__) | _ELSEWHERE | _HINTS
_decoder: Final = msgspec.json.Decoder(ResponsesBody)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_request(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    """Raises BadRequest for what is no Responses request, KeptElsewhere for the end of one whose rest is at OpenAI."""
    try:
        return _conversation(body, is_stream=is_stream, drops_unsupported=drops_unsupported)
    except RecursionError as error:
        raise BadRequest("`input` is nested too deeply", field="input") from error


def _conversation(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    members = decoded(body, _members)
    for name in _KEPT:
        if bytes(members.get(name, b"null")) != b"null":
            raise KeptElsewhere(name)
    said: ResponsesBody = decoded(body, _decoder)
    items = Items()
    items.read(said.input or "")
    if not items.turns and not items.system:
        raise BadRequest("`input` has nothing to answer", field="input")
    unspoken = items.unspoken
    system = [*([Text(said.instructions)] if said.instructions else []), *items.system]
    tools = read_tools([("tools", said.tools or []), *items.brought], unspoken)
    chosen = read_choice(said.tool_choice, tools, said.parallel_tool_calls, unspoken)
    text = said.text or _TextConfig()
    reasoning = _reasoning(said.reasoning or {}, unspoken)
    if bytes(members.get("prompt_cache_key", b"null")) != b"null":
        _keep(system, items.turns)
    _note(unspoken, {"text.verbosity": text.verbosity, "truncation": said.truncation})
    return Conversation(
        turns=items.turns,
        system=system,
        tools=chosen.tools,
        tool_choice=chosen.wish if chosen.tools else None,
        sampling=Sampling(said.temperature, said.top_p),
        max_output=said.max_output_tokens,
        shape=_shape(text.format),
        reasoning=reasoning,
        top_logprobs=_top_logprobs(said),
        user=said.user or said.safety_identifier or "",
        metadata=said.metadata or {},
        service_tier=said.service_tier or "",
        is_stream=is_stream,
        drops_unsupported=drops_unsupported,
        rest=unspoken | {n: value for n, value in members.items() if n not in _PLACED and bytes(value) != b"null"},
    )


def _keep(system: list[Text], turns: list[Turn]) -> None:
    """Marks what the next turn will begin with, for providers that keep only what is marked."""
    for part in (*system[-1:], *(turn.parts[-1] for turn in turns[-1:])):
        if not isinstance(part, Thought):
            part.cache_ttl = _KEPT_FOR


def _note(unspoken: Unspoken, wishes: dict[str, Any]) -> None:
    for name, value in wishes.items():
        if value is not None and value != _USUAL.get(name):
            unspoken[name] = msgspec.Raw(_raw(value))


def _top_logprobs(said: ResponsesBody) -> int | None:
    if said.top_logprobs:
        return said.top_logprobs
    return 0 if _LOGPROBS in (said.include or ()) else None


def _reasoning(given: dict[str, Any], unspoken: Unspoken) -> Reasoning | None:
    effort, summary = given.get("effort"), given.get("summary") or given.get("generate_summary")
    if effort is not None and effort not in _EFFORTS:
        raise BadRequest(f"`{str(effort)[:40]}` is no reasoning effort", field="reasoning.effort")
    others = given.keys() - {"effort", "summary", "generate_summary"}
    _note(unspoken, {f"reasoning.{name[:60]}": given[name] for name in others})
    if effort is None and summary is None:
        return None
    return Reasoning(effort, shows=True if summary is not None else None)


def _shape(given: dict[str, Any] | None) -> Shape | None:
    kind = given.get("type") if given is not None else "text"
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return Shape("object")
    schema, strict = given.get("schema"), given.get("strict")
    if kind == "json_schema" and isinstance(schema, dict):
        about, held = str(given.get("description") or ""), msgspec.Raw(_raw(schema))
        return Shape("schema", str(given.get("name") or ""), about, held, strict if isinstance(strict, bool) else None)
    raise BadRequest(f"`{str(kind)[:40]}` is no text format", field="text.format")
