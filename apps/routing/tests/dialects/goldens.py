"""The same answers as each provider gives them, whole and streamed, in the forms of their public documentation.

Every one says the same words, calls and thoughts; `USED` is how much of it each provider tells of what was used.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from apps.routing.edge.usage import Usage
from tests.fakes.bedrock_provider import event as frame

WORDS = ["Peace", " upon", " you"]
TEXT = "".join(WORDS)
SHAPED = '{"city": "Cairo"}'
THOUGHT = "They greet me."
CALLS = [("c1", "weather", {"city": "Cairo"}), ("c2", "weather", {"city": "مكة"})]
FEATURES = ("words", "calls", "thoughts", "shape", "length", "filtered")
TOKENS = [{"token": "Peace", "logprob": -0.25, "bytes": [80], "top_logprobs": []}]
Made = Callable[[str], bytes]


def _texts(feature: str) -> list[str]:
    return {"calls": [], "shape": [SHAPED[:5], SHAPED[5:]]}.get(feature, WORDS)


def _sse(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + b"\n\n" for one in events)


def _json(found: Any) -> bytes:
    return json.dumps(found, indent=1, ensure_ascii=False).encode()


# ── OpenAI, and Mistral, who keeps thoughts in the content ───────────────────
_OF_OPENAI = {"calls": "tool_calls", "length": "length", "filtered": "content_filter"}
_USAGE = {
    "prompt_tokens": 13,
    "completion_tokens": 7,
    "total_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def _function(call: tuple[str, str, Any]) -> dict[str, Any]:
    arguments = json.dumps(call[2], ensure_ascii=False)
    return {"id": call[0], "type": "function", "function": {"name": call[1], "arguments": arguments}}


def _chat(feature: str, *, thinks_within: bool, usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(_texts(feature)) or None}
    if feature == "calls":
        message["tool_calls"] = [_function(call) for call in CALLS]
    if feature == "thoughts" and thinks_within:
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}
        message["content"] = [thinking, {"type": "text", "text": TEXT}]
    elif feature == "thoughts":
        message["reasoning_content"] = THOUGHT
    logprobs = {"content": TOKENS, "refusal": None} if feature == "logprobs" else None
    choice = {"index": 0, "message": message, "finish_reason": _OF_OPENAI.get(feature, "stop"), "logprobs": logprobs}
    return {"id": "a1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _chunks(feature: str, *, thinks_within: bool, usage: dict[str, Any]) -> Iterator[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if feature == "thoughts" and thinks_within:
        deltas.append({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]})
    elif feature == "thoughts":
        deltas.append({"reasoning_content": THOUGHT})
    deltas += [{"content": word} for word in _texts(feature)]
    for index, call in enumerate(CALLS if feature == "calls" else []):
        whole = _function(call)
        arguments = whole["function"]["arguments"]
        begun = {**whole, "index": index, "function": {"name": call[1], "arguments": arguments[:4]}}
        deltas.append({"tool_calls": [begun]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[4:]}}]})
    head = {"id": "a1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for place, delta in enumerate(deltas):
        held = {"content": TOKENS} if feature == "logprobs" and place == 1 else None
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": held}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _OF_OPENAI.get(feature, "stop")}]}
    yield {**head, "choices": [], "usage": usage}


def _like_openai(*, thinks_within: bool = False, usage: dict[str, Any] = _USAGE) -> tuple[Made, Made]:
    def whole(feature: str) -> bytes:
        return _json(_chat(feature, thinks_within=thinks_within, usage=usage))

    def stream(feature: str) -> bytes:
        return _sse(*_chunks(feature, thinks_within=thinks_within, usage=usage)) + b"data: [DONE]\n\n"

    return whole, stream


# ── Anthropic ────────────────────────────────────────────────────────────────
_OF_ANTHROPIC = {"calls": "tool_use", "length": "max_tokens", "filtered": "refusal"}
_ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 4,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 7,
}


def _blocks(feature: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if feature == "thoughts":
        found.append({"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"})
    if feature == "calls":
        return [{"type": "tool_use", "id": one, "name": name, "input": said} for one, name, said in CALLS]
    return [*found, {"type": "text", "text": "".join(_texts(feature))}]


def _message(feature: str) -> dict[str, Any]:
    head = {"id": "a1", "type": "message", "role": "assistant", "model": "m", "content": _blocks(feature)}
    reason = _OF_ANTHROPIC.get(feature, "end_turn")
    return {**head, "stop_reason": reason, "stop_sequence": None, "usage": _ANTHROPIC_USAGE}


def _named(kind: str, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _anthropic_stream(feature: str) -> bytes:
    found = _message(feature)
    begun = {**found, "content": [], "stop_reason": None, "usage": {**_ANTHROPIC_USAGE, "output_tokens": 1}}
    out = _named("message_start", message=begun)
    for index, block in enumerate(found["content"]):
        kind = block["type"]
        empty = {"tool_use": {"input": {}}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {"text": ""})
        out += _named("content_block_start", index=index, content_block={**block, **empty})
        for delta in _anthropic_deltas(block, feature):
            out += _named("content_block_delta", index=index, delta=delta)
        out += _named("content_block_stop", index=index)
    stop = {"stop_reason": found["stop_reason"], "stop_sequence": None}
    return out + _named("message_delta", delta=stop, usage={"output_tokens": 7}) + _named("message_stop")


def _anthropic_deltas(block: dict[str, Any], feature: str) -> list[dict[str, Any]]:
    if block["type"] == "tool_use":
        said = json.dumps(block["input"], ensure_ascii=False)
        return [{"type": "input_json_delta", "partial_json": piece} for piece in (said[:4], said[4:])]
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": THOUGHT}
        return [thought, {"type": "signature_delta", "signature": block["signature"]}]
    return [{"type": "text_delta", "text": word} for word in _texts(feature)]


# ── Gemini, and Vertex AI ────────────────────────────────────────────────────
_OF_GEMINI = {"length": "MAX_TOKENS", "filtered": "SAFETY"}
_GEMINI_USAGE = {
    "promptTokenCount": 13,
    "cachedContentTokenCount": 3,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 20,
}


def _parts(feature: str, texts: list[str]) -> list[dict[str, Any]]:
    if feature == "calls":
        return [{"functionCall": {"id": one, "name": name, "args": said}} for one, name, said in CALLS]
    thoughts = [{"text": THOUGHT, "thought": True}] if feature == "thoughts" else []
    return [*thoughts, *({"text": text} for text in texts)]


def _generated(parts: list[dict[str, Any]], finish: str | None, feature: str) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    if feature == "logprobs":
        candidate["logprobsResult"] = {"chosenCandidates": [{"token": "Peace", "logProbability": -0.25}]}
    return {"candidates": [candidate], "usageMetadata": _GEMINI_USAGE, "modelVersion": "m", "responseId": "a1"}


def _gemini_whole(feature: str) -> bytes:
    parts = _parts(feature, ["".join(_texts(feature))])
    return _json(_generated(parts, _OF_GEMINI.get(feature, "STOP"), feature))


def _gemini_stream(feature: str) -> bytes:
    *first, last = _parts(feature, _texts(feature))
    told = [_generated([part], None, "") for part in first]
    return _sse(*told, _generated([last], _OF_GEMINI.get(feature, "STOP"), feature))


# ── Bedrock ──────────────────────────────────────────────────────────────────
_OF_BEDROCK = {"calls": "tool_use", "length": "max_tokens", "filtered": "content_filtered"}
_BEDROCK_USAGE = {
    "inputTokens": 10,
    "outputTokens": 7,
    "totalTokens": 24,
    "cacheReadInputTokens": 3,
    "cacheWriteInputTokens": 4,
}


def _bedrock_whole(feature: str) -> bytes:
    content: list[dict[str, Any]] = []
    if feature == "thoughts":
        content.append({"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": "c2ln"}}})
    if feature == "calls":
        content += [{"toolUse": {"toolUseId": one, "name": name, "input": said}} for one, name, said in CALLS]
    else:
        content.append({"text": "".join(_texts(feature))})
    message = {"role": "assistant", "content": content}
    reason = _OF_BEDROCK.get(feature, "end_turn")
    return _json({"output": {"message": message}, "stopReason": reason, "usage": _BEDROCK_USAGE})


def _bedrock_stream(feature: str) -> bytes:
    out = frame("messageStart", role="assistant")
    deltas: list[list[dict[str, Any]]] = [[{"text": word} for word in _texts(feature)]]
    if feature == "thoughts":
        deltas.insert(0, [{"reasoningContent": {"text": THOUGHT}}, {"reasoningContent": {"signature": "c2ln"}}])
    if feature == "calls":
        said = [json.dumps(call[2], ensure_ascii=False) for call in CALLS]
        deltas = [[{"toolUse": {"input": one[:4]}}, {"toolUse": {"input": one[4:]}}] for one in said]
    for index, block in enumerate(deltas):
        if feature == "calls":
            begun = {"toolUseId": CALLS[index][0], "name": CALLS[index][1]}
            out += frame("contentBlockStart", contentBlockIndex=index, start={"toolUse": begun})
        out += b"".join(frame("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in block)
        out += frame("contentBlockStop", contentBlockIndex=index)
    return (
        out
        + frame("messageStop", stopReason=_OF_BEDROCK.get(feature, "end_turn"))
        + frame("metadata", usage=_BEDROCK_USAGE)
    )


# ── Cohere ───────────────────────────────────────────────────────────────────
_OF_COHERE = {"calls": "TOOL_CALL", "length": "MAX_TOKENS", "filtered": "ERROR_TOXIC"}
_COHERE_USAGE = {"billed_units": {"input_tokens": 13, "output_tokens": 7}}


def _cohere_whole(feature: str) -> bytes:
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": THOUGHT}] if feature == "thoughts" else []
    message: dict[str, Any] = {"role": "assistant"}
    if feature == "calls":
        message["tool_calls"] = [_function(call) for call in CALLS]
    else:
        message["content"] = [*content, {"type": "text", "text": "".join(_texts(feature))}]
    reason = _OF_COHERE.get(feature, "COMPLETE")
    return _json({"id": "a1", "message": message, "finish_reason": reason, "usage": _COHERE_USAGE})


def _cohere_stream(feature: str) -> bytes:
    out = _named("message-start", id="a1", delta={"message": {"role": "assistant"}})
    thoughts = [("thinking", [THOUGHT])] if feature == "thoughts" else []
    texts = [("text", _texts(feature))] if feature != "calls" else []
    for index, (kind, pieces) in enumerate([*thoughts, *texts]):
        empty = {"message": {"content": {"type": kind, kind: ""}}}
        out += _named("content-start", index=index, delta=empty)
        for piece in pieces:
            out += _named("content-delta", index=index, delta={"message": {"content": {kind: piece}}})
        out += _named("content-end", index=index)
    for index, call in enumerate(CALLS if feature == "calls" else []):
        whole = _function(call)
        begun = {**whole, "function": {"name": call[1], "arguments": ""}}
        out += _named("tool-call-start", index=index, delta={"message": {"tool_calls": begun}})
        said = {"function": {"arguments": whole["function"]["arguments"]}}
        out += _named("tool-call-delta", index=index, delta={"message": {"tool_calls": said}})
        out += _named("tool-call-end", index=index)
    end = {"finish_reason": _OF_COHERE.get(feature, "COMPLETE"), "usage": _COHERE_USAGE}
    return out + _named("message-end", delta=end)


# ── Ollama ───────────────────────────────────────────────────────────────────
def _ollama_messages(feature: str, texts: list[str]) -> list[dict[str, Any]]:
    thoughts = [{"content": "", "thinking": THOUGHT}] if feature == "thoughts" else []
    if feature == "calls":
        told = [{"function": {"name": name, "arguments": said}} for _, name, said in CALLS]
        return [{"content": "", "tool_calls": told}]
    return [*thoughts, *({"content": text} for text in texts)]


def _ollama_end(feature: str) -> dict[str, Any]:
    reason = "length" if feature == "length" else "stop"
    return {"done": True, "done_reason": reason, "prompt_eval_count": 13, "eval_count": 7}


def _ollama_line(message: dict[str, Any], feature: str, **members: Any) -> bytes:
    held = {"logprobs": TOKENS} if feature == "logprobs" else {}
    said = {"model": "m", "created_at": "2026-11-27T10:00:00Z", "message": {"role": "assistant", **message}}
    return json.dumps({**said, **held, **members}, ensure_ascii=False).encode() + b"\n"


def _ollama_whole(feature: str) -> bytes:
    message: dict[str, Any] = {}
    for piece in _ollama_messages(feature, ["".join(_texts(feature))]):
        message |= {name: value for name, value in piece.items() if value or name not in message}
    return _ollama_line(message, feature, **_ollama_end(feature))


def _ollama_stream(feature: str) -> bytes:
    first, *rest = _ollama_messages(feature, _texts(feature))
    lines = [_ollama_line(first, feature, done=False), *(_ollama_line(one, "", done=False) for one in rest)]
    return b"".join(lines) + _ollama_line({"content": ""}, "", **_ollama_end(feature))


# ── Replicate, its stream as it is handed on ─────────────────────────────────
def _prediction(feature: str) -> dict[str, Any]:
    metrics = {"input_token_count": 13, "output_token_count": 7}
    return {"id": "a1", "model": "m", "status": "succeeded", "output": _texts(feature), "metrics": metrics}


def _replicate_stream(feature: str) -> bytes:
    out = b"".join(b"event: output\nid: 1:0\ndata: %b\n\n" % word.encode() for word in _texts(feature))
    return out + b"event: prediction\ndata: %b\n\n" % json.dumps(_prediction(feature)).encode()


_PLAIN = Usage(input=13, output=7)
_FULL = Usage(input=10, cache_read=3, output=5, reasoning=2)
_KEPT = Usage(input=10, cache_read=3, cache_write_5m=4, output=7)
_MISTRAL = {"prompt_tokens": 13, "completion_tokens": 7, "total_tokens": 20}
GOLDENS: dict[str, tuple[Made, Made]] = {
    "openai": _like_openai(),
    "azure": _like_openai(),
    "huggingface": _like_openai(),
    "mistral": _like_openai(thinks_within=True, usage=_MISTRAL),
    "anthropic": (lambda feature: _json(_message(feature)), _anthropic_stream),
    "gemini": (_gemini_whole, _gemini_stream),
    "vertex": (_gemini_whole, _gemini_stream),
    "bedrock": (_bedrock_whole, _bedrock_stream),
    "cohere": (_cohere_whole, _cohere_stream),
    "ollama": (_ollama_whole, _ollama_stream),
    "replicate": (lambda feature: _json(_prediction(feature)), _replicate_stream),
}
USED = {
    **dict.fromkeys(("openai", "azure", "huggingface", "gemini", "vertex"), _FULL),
    **dict.fromkeys(("anthropic", "bedrock"), _KEPT),
    **dict.fromkeys(("mistral", "cohere", "ollama", "replicate"), _PLAIN),
}
UNSAID = {
    "ollama": {"filtered"},
    "replicate": {"calls", "thoughts", "length", "filtered"},
}
"""What a provider has no word for in its answers."""
LOGPROBS = {"openai", "azure", "huggingface", "gemini", "vertex", "ollama"}
