"""OpenAI's chat completions, requests: read into a conversation, and written from one."""

from hashlib import sha256
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import (
    NO_JSON,
    Conversation,
    Media,
    Part,
    Reasoning,
    Role,
    Sampling,
    Shape,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from apps.routing.edge.dialects.data_urls import data_url, read_url
from apps.routing.edge.dialects.openai.extras import ExtraContent, seal_in
from apps.routing.edge.dialects.speech import Missing, decoded
from brokle.kernel.errors import BadRequest

_encode: Final = msgspec.json.encode
_LONGEST_USER: Final = 64
_FORMATS: Final = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "opus": "audio/opus",
    "pcm16": "audio/pcm",
}
_MIMES: Final = {**{mime: name for name, mime in _FORMATS.items()}, "audio/mp3": "mp3", "audio/x-wav": "wav"}
# Members that are the gateway's own or are read elsewhere.
_ELSEWHERE: Final = frozenset({"model", "messages", "stream", "stream_options", "brokle", "drop_unsupported"})


class _Function(msgspec.Struct):
    name: str = ""
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    strict: bool | None = None
    arguments: str | None = None


class _ToolEntry(msgspec.Struct):
    type: str = "function"
    function: _Function | None = None
    id: str = ""
    cache_control: dict[str, Any] | None = None
    extra_content: ExtraContent | None = None


class _JsonSchema(msgspec.Struct):
    name: str = ""
    description: str | None = None
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[_ToolEntry] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[dict[str, Any]] | None = None
    function_call: _Function | None = None


class ChatBody(msgspec.Struct):
    """What has a place in a conversation; `rest` of the members is found by name."""

    messages: list[_Message]
    tools: list[_ToolEntry] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[_Function] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | list[str] | None = None
    logit_bias: msgspec.Raw = NO_JSON
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[str] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


_PLACED: Final = frozenset(ChatBody.__struct_fields__) | _ELSEWHERE
_decode: Final = msgspec.json.Decoder(ChatBody)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_request(body: bytes, *, is_stream: bool, drops_unsupported: bool) -> Conversation:
    """Raises BadRequest for what is no chat request."""
    said: ChatBody = decoded(body, _decode)
    members = _members.decode(body)
    conversation = Conversation(
        turns=[],
        tools=[_tool(entry) for entry in said.tools or ()] + [_plain_tool(one) for one in said.functions or ()],
        tool_choice=_tool_choice(said),
        sampling=_sampling(said),
        max_output=said.max_completion_tokens if said.max_completion_tokens is not None else said.max_tokens,
        count=said.n or 1,
        shape=_shape(said.response_format),
        reasoning=_reasoning(said.reasoning_effort),
        top_logprobs=(said.top_logprobs or 0) if said.logprobs else None,
        modalities=said.modalities or [],
        user=said.user or "",
        metadata=said.metadata or {},
        service_tier=said.service_tier or "",
        is_stream=is_stream,
        drops_unsupported=drops_unsupported,
        rest={name: value for name, value in members.items() if name not in _PLACED and bytes(value) != b"null"},
    )
    for place, message in enumerate(said.messages):
        _take(conversation, message, place)
    return conversation


def _take(conversation: Conversation, message: _Message, place: int) -> None:
    where = f"messages.{place}"
    if message.role in {"system", "developer"}:
        if conversation.turns:  # said in the middle: providers know a system prompt only at the start
            _join(conversation.turns, "user", [*_texts(message, where)])
        else:
            conversation.system.extend(_texts(message, where))
    elif message.role == "user":
        _join(conversation.turns, "user", _parts(message.content, where))
    elif message.role == "assistant":
        _join(conversation.turns, "assistant", _answered(message, where))
    elif message.role in {"tool", "function"}:
        result = _result(conversation, message, where)
        _join(conversation.turns, "user", [result])
    else:
        raise BadRequest(f"`{message.role[:40]}` is no role", field=f"{where}.role")


def _join(turns: list[Turn], role: Role, parts: list[Part]) -> None:
    """Turns alternate: what the same side says next belongs to its turn."""
    if turns and turns[-1].role == role:
        turns[-1].parts.extend(parts)
    elif parts:
        turns.append(Turn(role, parts))


def _texts(message: _Message, where: str) -> list[Text]:
    parts = _parts(message.content, where)
    if not all(isinstance(part, Text) for part in parts):
        raise BadRequest("A system message holds text only", field=f"{where}.content")
    return [part for part in parts if isinstance(part, Text)]


def _answered(message: _Message, where: str) -> list[Part]:
    parts: list[Part] = [_thought(block) for block in message.thinking_blocks or ()]
    if message.reasoning_content:
        parts = _with_text(parts, message.reasoning_content)
    parts += _parts(message.content, where)
    if message.refusal:
        parts.append(Text(message.refusal))
    for entry in message.tool_calls or ():
        function = entry.function or _Function()
        ttl, seal = _ttl(entry.cache_control), seal_in(entry.extra_content)
        parts.append(ToolCall(entry.id, function.name, function.arguments or "", seal, ttl))
    if message.function_call is not None:
        called = message.function_call
        parts.append(ToolCall(f"call_{called.name}", called.name, called.arguments or ""))
    return parts


def _with_text(thoughts: list[Part], text: str) -> list[Part]:
    """A stream says a thought's text and its seal apart; callers who add both up give them back apart."""
    if not thoughts:
        return [Thought(text)]
    first = next((thought for thought in thoughts if isinstance(thought, Thought) and thought.signature), None)
    if first is not None and not any(isinstance(thought, Thought) and thought.text for thought in thoughts):
        first.text = text
    return thoughts


def _thought(block: dict[str, Any]) -> Thought:
    if block.get("type") == "redacted_thinking":
        return Thought(sealed=str(block.get("data", "")))
    return Thought(str(block.get("thinking", "")), signature=str(block.get("signature", "")))


def _result(conversation: Conversation, message: _Message, where: str) -> ToolResult:
    parts = [part for part in _parts(message.content, where) if isinstance(part, Text | Media)]
    call_id = message.tool_call_id or f"call_{message.name or ''}"
    name = message.name or _name_of_call(conversation, call_id)
    return ToolResult(call_id, name, parts, cache_ttl=next((part.cache_ttl for part in parts if part.cache_ttl), ""))


def _name_of_call(conversation: Conversation, call_id: str) -> str:
    for turn in reversed(conversation.turns):
        for part in turn.parts:
            if isinstance(part, ToolCall) and part.id == call_id:
                return part.name
    return ""


def _parts(content: str | list[dict[str, Any]] | None, where: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_part(entry, f"{where}.content.{place}") for place, entry in enumerate(content)]


def _part(entry: dict[str, Any], where: str) -> Part:
    kind = str(entry.get("type"))
    ttl = _ttl(entry.get("cache_control"))
    inner = entry.get(kind)
    if kind in {"text", "refusal"} and isinstance(inner, str):
        return Text(inner, ttl)
    if kind == "image_url" and isinstance(inner, dict | str):
        about = inner if isinstance(inner, dict) else {"url": inner}
        return read_url("image", str(about.get("url", "")), detail=str(about.get("detail") or ""), cache_ttl=ttl)
    if kind == "input_audio" and isinstance(inner, dict):
        name = str(inner.get("format", ""))
        return Media("audio", _FORMATS.get(name, f"audio/{name}"), str(inner.get("data", "")), cache_ttl=ttl)
    if kind == "file" and isinstance(inner, dict):
        return _file(inner, ttl)
    raise BadRequest(f"A part of type `{kind[:40]}` is not known", field=f"{where}.type")


def _file(inner: dict[str, Any], ttl: str) -> Media:
    name = str(inner.get("filename") or "")
    if inner.get("file_id"):
        return Media("file", file_id=str(inner["file_id"]), name=name, cache_ttl=ttl)
    return read_url("file", str(inner.get("file_data", "")), name=name, cache_ttl=ttl)


def _ttl(mark: Any) -> str:
    """Anthropic's mark, which callers put into OpenAI's form too."""
    return str(mark.get("ttl") or "5m") if isinstance(mark, dict) and mark.get("type") == "ephemeral" else ""


def _tool(entry: _ToolEntry) -> Tool:
    if entry.function is None:
        raise BadRequest(f"A tool of type `{entry.type[:40]}` is not known here", field="tools")
    return _plain_tool(entry.function, _ttl(entry.cache_control))


def _plain_tool(function: _Function, ttl: str = "") -> Tool:
    return Tool(function.name, function.description or "", function.parameters, function.strict, ttl)


def _tool_choice(said: ChatBody) -> ToolChoice | None:
    choice, parallel = said.tool_choice, said.parallel_tool_calls
    if choice is None:
        return None if parallel is None else ToolChoice(is_parallel=parallel)
    if isinstance(choice, str):
        if choice not in {"auto", "none", "required"}:
            raise BadRequest(f"`{choice[:40]}` is no tool choice", field="tool_choice")
        return ToolChoice(choice, is_parallel=parallel)  # type: ignore[arg-type]
    named = choice.get("function") or {}
    if choice.get("type") == "function" and isinstance(named, dict) and named.get("name"):
        return ToolChoice("named", [str(named["name"])], parallel)
    raise BadRequest("This tool choice is not known here", field="tool_choice")


def _sampling(said: ChatBody) -> Sampling:
    stop = [said.stop] if isinstance(said.stop, str) else said.stop or []
    return Sampling(
        said.temperature,
        said.top_p,
        said.top_k,
        said.seed,
        said.frequency_penalty,
        said.presence_penalty,
        stop,
        said.logit_bias,
    )


def _shape(given: _ResponseFormat | None) -> Shape | None:
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return Shape("object")
    if given.type == "json_schema" and given.json_schema is not None:
        about = given.json_schema
        return Shape("schema", about.name, about.description or "", about.schema, about.strict)
    raise BadRequest(f"`{given.type[:40]}` is no response format", field="response_format")


def _reasoning(effort: str | None) -> Reasoning | None:
    if effort is None:
        return None
    if effort not in {"none", "minimal", "low", "medium", "high", "xhigh", "max"}:
        raise BadRequest(f"`{effort[:40]}` is no reasoning effort", field="reasoning_effort")
    return Reasoning(effort)  # type: ignore[arg-type]


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    missing = Missing(conversation, title)
    missing.note_rest(conversation)
    return _encode(written_members(conversation, model, missing))


def written_members(conversation: Conversation, model: str, missing: Missing) -> dict[str, Any]:
    """All but the rest; servers that differ in a few words begin with these."""
    body: dict[str, Any] = {"model": model, "messages": _messages(conversation, missing)}
    _put_tools(body, conversation)
    _put_sampling(body, conversation.sampling)
    _put_wishes(body, conversation)
    if conversation.is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _put_tools(body: dict[str, Any], conversation: Conversation) -> None:
    if conversation.tools:
        body["tools"] = [_tool_entry(tool) for tool in conversation.tools]
    choice = conversation.tool_choice
    if choice is None or not conversation.tools:
        return
    body["tool_choice"] = choice.mode
    if choice.mode == "named":
        names = [{"type": "function", "function": {"name": name}} for name in choice.names]
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": names}}
        body["tool_choice"] = names[0] if len(names) == 1 else allowed
    if choice.is_parallel is not None:
        body["parallel_tool_calls"] = choice.is_parallel


def _tool_entry(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if bytes(tool.schema):
        function["parameters"] = tool.schema
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return {"type": "function", "function": function}


def _put_sampling(body: dict[str, Any], sampling: Sampling) -> None:
    said = {
        name: getattr(sampling, name)
        for name in ("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty")
    }
    body |= {name: value for name, value in said.items() if value is not None}
    if sampling.stop:
        body["stop"] = sampling.stop
    if bytes(sampling.logit_bias):
        body["logit_bias"] = sampling.logit_bias


def _put_wishes(body: dict[str, Any], conversation: Conversation) -> None:
    if conversation.max_output is not None:
        body["max_completion_tokens"] = conversation.max_output
    if conversation.count != 1:
        body["n"] = conversation.count
    if conversation.shape is not None:
        body["response_format"] = _response_format(conversation.shape)
    if conversation.reasoning is not None:
        effort = effort_of(conversation.reasoning)
        if effort is not None:
            body["reasoning_effort"] = effort
    if conversation.top_logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = conversation.top_logprobs
    if conversation.user:
        body["user"] = _fitting_name(conversation.user)
    for name in ("modalities", "metadata", "service_tier"):
        if getattr(conversation, name):
            body[name] = getattr(conversation, name)


def _fitting_name(user: str) -> str:
    """OpenAI refuses long names of users, which others allow: such a one is told by its sum, as long as may be."""
    return user if len(user) <= _LONGEST_USER else sha256(user.encode()).hexdigest()


def effort_of(reasoning: Reasoning) -> str | None:
    """A number of tokens becomes the word nearest to it."""
    if reasoning.effort is not None:
        return reasoning.effort
    if reasoning.budget_tokens is None:
        return None
    return "low" if reasoning.budget_tokens <= 2048 else "medium" if reasoning.budget_tokens <= 8192 else "high"


def _response_format(shape: Shape) -> dict[str, Any]:
    if shape.kind == "object":
        return {"type": "json_object"}
    about: dict[str, Any] = {"name": shape.name or "answer", "schema": shape.schema}
    if shape.description:
        about["description"] = shape.description
    if shape.is_strict is not None:
        about["strict"] = shape.is_strict
    return {"type": "json_schema", "json_schema": about}


def _messages(conversation: Conversation, missing: Missing) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if conversation.system:
        found.append({"role": "system", "content": _flat(list(conversation.system), missing)})
    for turn in conversation.turns:
        found += _spoken(turn, missing) if turn.role == "user" else [_answer(turn, missing)]
    return found


def _spoken(turn: Turn, missing: Missing) -> list[dict[str, Any]]:
    """Results come first: OpenAI wants them right behind the calls they answer."""
    found: list[dict[str, Any]] = []
    pictures: list[Part] = []
    for result in (part for part in turn.parts if isinstance(part, ToolResult)):
        texts: list[Part] = [part for part in result.parts if isinstance(part, Text)]
        pictures += [part for part in result.parts if not isinstance(part, Text)]
        found.append({"role": "tool", "tool_call_id": result.call_id, "content": _flat(texts, missing)})
    others = pictures + [part for part in turn.parts if not isinstance(part, ToolResult)]
    if others:
        found.append({"role": "user", "content": _flat(others, missing)})
    return found


def _answer(turn: Turn, missing: Missing) -> dict[str, Any]:
    said = [part for part in turn.parts if isinstance(part, Text | Media)]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": _flat(list(said), missing) if said else None}
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in calls
        ]
    return message


def _flat(parts: list[Part], missing: Missing) -> str | list[dict[str, Any]]:
    """Text alone is a string, which every server of this dialect understands."""
    if all(isinstance(part, Text) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return [entry for part in parts if (entry := _entry(part, missing)) is not None]


def _entry(part: Part, missing: Missing) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if not isinstance(part, Media):
        return None  # thoughts of other models: this dialect has no place for them
    if part.kind == "image":
        image = {"url": part.url or data_url(part)} | ({"detail": part.detail} if part.detail else {})
        return {"type": "image_url", "image_url": image}
    if part.kind == "audio" and part.data:
        name = _MIMES.get(part.mime, part.mime.partition("/")[2])
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": name}}
    if part.kind == "file" and not part.url:
        named = {"filename": part.name} if part.name else {}
        held = {"file_id": part.file_id} if part.file_id else {"file_data": data_url(part)}
        return {"type": "file", "file": {**named, **held}}
    missing.note(f"messages.content.{part.kind}", "by address" if part.url else "")
    return None
