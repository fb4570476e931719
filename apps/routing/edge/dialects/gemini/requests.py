"""Gemini's generateContent requests: read into a conversation."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import (
    Conversation,
    Effort,
    Part,
    Reasoning,
    Role,
    Sampling,
    Shape,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from apps.routing.edge.dialects.gemini.contents import Contents, Unspoken, camel, held, listed
from apps.routing.edge.dialects.gemini.schemas import json_schema_of
from apps.routing.edge.dialects.speech import decoded
from brokle.kernel.errors import BadRequest

_raw: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_ROLES: Final[dict[str, Role]] = {"user": "user", "function": "user", "model": "assistant"}
_TIERS: Final = {"standard": "default", "unspecified": ""}
_EFFORTS: Final[dict[str, Effort]] = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
}
_PLACED: Final = frozenset(
    {
        "model",
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
        "labels",
        "brokle",
        "dropUnsupported",
    }
)
_CONFIGURED: Final = frozenset(
    {
        "temperature",
        "topP",
        "topK",
        "candidateCount",
        "maxOutputTokens",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseLogprobs",
        "logprobs",
        "thinkingConfig",
        "responseModalities",
    }
)


class _Config(msgspec.Struct, rename="camel"):
    """What of `generationConfig` has a place in a conversation."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_mime_type: str | None = None
    response_schema: Any = None
    response_json_schema: Any = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    thinking_config: dict[str, Any] | None = None
    response_modalities: list[str] | None = None


def read_request(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    """Raises BadRequest for what is no request of this format."""
    try:
        said: dict[str, Any] = decoded(body, _decoder)
        return _conversation(said, is_stream=is_stream, drops_unsupported=drops_unsupported)
    except RecursionError as error:
        raise BadRequest("contents: nested too deeply", field="contents") from error


def _conversation(given: dict[str, Any], *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    said = _spelled(given)
    contents = Contents()
    config, unplaced = _config(said.get("generationConfig"))
    tier = str(said.get("serviceTier") or "").lower()
    conversation = Conversation(
        turns=[],
        system=_system(contents, said.get("systemInstruction")),
        tools=_tools(said.get("tools"), contents.unspoken),
        tool_choice=_tool_choice(said.get("toolConfig"), contents.unspoken),
        sampling=_sampling(config),
        max_output=config.max_output_tokens,
        count=config.candidate_count or 1,
        shape=_shape(config),
        reasoning=_reasoning(_spelled(config.thinking_config or {})),
        top_logprobs=(config.logprobs or 0) if config.response_logprobs else None,
        modalities=[word.lower() for word in config.response_modalities or ()],
        metadata=_object(said.get("labels"), "labels"),
        service_tier=_TIERS.get(tier, tier),
        is_stream=is_stream,
        drops_unsupported=drops_unsupported,
    )
    for place, content in enumerate(listed(said.get("contents"), "contents")):
        _take(conversation, content, contents, f"contents[{place}]")
    rest = {name: msgspec.Raw(_raw(value)) for name, value in said.items() if name not in _PLACED}
    conversation.rest = contents.unspoken | unplaced | rest
    return conversation


def _spelled(entry: dict[str, Any]) -> dict[str, Any]:
    return {camel(name): value for name, value in entry.items() if value is not None}


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise BadRequest(f"{where} is an object", field=where)
    return value or {}


def _take(conversation: Conversation, content: dict[str, Any], contents: Contents, where: str) -> None:
    role = _ROLES.get(str(content.get("role") or "user"))
    if role is None:
        raise BadRequest("Please use a valid role: user, model.", field=f"{where}.role")
    parts = contents.read(content, where)
    turns = conversation.turns
    if turns and turns[-1].role == role:
        turns[-1].parts.extend(parts)
    elif parts:
        turns.append(Turn(role, parts))


def _system(contents: Contents, given: Any) -> list[Text]:
    parts: list[Part] = []
    for content in listed(given, "systemInstruction"):
        parts += contents.read(content, "systemInstruction")
    if not all(isinstance(part, Text) for part in parts):
        raise BadRequest("systemInstruction holds text only", field="systemInstruction")
    return [part for part in parts if isinstance(part, Text)]


def _config(given: Any) -> tuple[_Config, Unspoken]:
    members = _spelled(_object(given, "generationConfig"))
    try:
        config = msgspec.convert({name: value for name, value in members.items() if name in _CONFIGURED}, _Config)
    except msgspec.ValidationError as error:
        raise BadRequest(f"generationConfig: {error}", field="generationConfig") from error
    others = {name: value for name, value in members.items() if name not in _CONFIGURED}
    return config, {f"generationConfig.{name[:60]}": msgspec.Raw(_raw(value)) for name, value in others.items()}


def _sampling(config: _Config) -> Sampling:
    return Sampling(
        config.temperature,
        config.top_p,
        None if config.top_k is None else round(config.top_k),
        config.seed,
        config.frequency_penalty,
        config.presence_penalty,
        config.stop_sequences or [],
    )


def _shape(config: _Config) -> Shape | None:
    mime = config.response_mime_type or "text/plain"
    if mime == "text/plain":
        return None
    if mime != "application/json":
        raise BadRequest(f"responseMimeType `{mime[:40]}` is not known here", field="generationConfig.responseMimeType")
    if config.response_json_schema is not None:
        return Shape("schema", schema=msgspec.Raw(_raw(config.response_json_schema)))
    if config.response_schema is not None:
        return Shape("schema", schema=msgspec.Raw(_raw(json_schema_of(config.response_schema))))
    return Shape("object")


def _reasoning(thinking: dict[str, Any]) -> Reasoning | None:
    """A budget of 0 is no thinking, one of -1 as much as the model likes."""
    budget, level, shows = (thinking.get(name) for name in ("thinkingBudget", "thinkingLevel", "includeThoughts"))
    if budget == 0:
        return Reasoning("none")
    effort = _EFFORTS.get(str(level).lower()) if level is not None else None
    if isinstance(budget, int) and budget > 0:
        return Reasoning(effort, budget, bool(shows))
    if effort is None and budget is None and not shows:
        return None
    return Reasoning(effort, shows=bool(shows))


def _tools(given: Any, unspoken: Unspoken) -> list[Tool]:
    """Tools that run at Google cannot be told to anyone else."""
    found = []
    for entry in listed(given, "tools"):
        for name, value in _spelled(entry).items():
            if name == "functionDeclarations":
                found += [_tool(declaration) for declaration in listed(value, "tools.functionDeclarations")]
            else:
                unspoken[f"tools.{name[:60]}"] = msgspec.Raw(_raw(value))
    return found


def _tool(declaration: dict[str, Any]) -> Tool:
    name = declaration.get("name")
    if not isinstance(name, str):
        raise BadRequest("A function has a name", field="tools.functionDeclarations")
    schema = held(declaration, "parametersJsonSchema")
    if schema is None:
        schema = json_schema_of(declaration.get("parameters"))
    about = str(declaration.get("description") or "")
    return Tool(name, about) if schema is None else Tool(name, about, msgspec.Raw(_raw(schema)))


def _tool_choice(given: Any, unspoken: Unspoken) -> ToolChoice | None:
    members = _spelled(_object(given, "toolConfig"))
    config = _spelled(_object(members.pop("functionCallingConfig", None), "toolConfig.functionCallingConfig"))
    for name, value in members.items():
        unspoken[f"toolConfig.{name[:60]}"] = msgspec.Raw(_raw(value))
    mode, names = str(config.get("mode") or "").upper(), config.get("allowedFunctionNames") or []
    if not isinstance(names, list):
        raise BadRequest("allowedFunctionNames is a list", field="toolConfig.functionCallingConfig")
    if mode == "ANY":
        return ToolChoice("named", [str(name) for name in names]) if names else ToolChoice("required")
    if mode == "NONE":
        return ToolChoice("none")
    return ToolChoice() if mode in {"AUTO", "VALIDATED"} else None
