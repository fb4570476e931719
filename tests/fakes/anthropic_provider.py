"""A small provider that speaks Anthropic's Messages API, and refuses what the API refuses.

Requests are checked by the types of Anthropic's own SDK; the rules beside them are those of its public documentation.
What it does is decided by the model it is asked for, and by what the request holds.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from anthropic.types import MessageCountTokensParams
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as BetaParams
from anthropic.types.message_create_params import MessageCreateParamsBase
from pydantic import TypeAdapter, ValidationError

from tests.fakes.coding import closing_words, next_steps
from tests.fakes.model_provider import CITIES, WORDS, Call, Handler, Provider, served

USAGE = {
    "input_tokens": 8,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 12, "ephemeral_1h_input_tokens": 8},
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
    "service_tier": "standard",
}
SIGNATURE = "c2VhbGVkIGJ5IENsYXVkZQ=="
THOUGHT = "They greet me, so I greet them."
COUNTED = 4321
TEXT = "".join(WORDS)

# Taken by the edition of 2023-06-01 and gone from the later one, whose types the SDK carries.
_CODER = "claude-coder"
_SAMPLING = {"temperature", "top_p", "top_k"}
_IN_CLOUD = re.compile(
    r"/v1/projects/p1/locations/here/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>rawPredict|streamRawPredict)"
)
_EDITIONS = {"vertex-2023-10-16": "2023-06-01", "2026-10-21": "2026-10-21"}
_ask = TypeAdapter(MessageCreateParamsBase)
_beta = TypeAdapter(BetaParams)
_count = TypeAdapter(MessageCountTokensParams)
_held: dict[str, list[dict[str, Any]]] = {}


class _Refused(Exception):
    pass


def check(call: Call) -> None:
    """Raises for what Anthropic answers with an invalid_request_error."""
    body = dict(call.body)
    sampling = {name: body.pop(name) for name in _SAMPLING & body.keys()}
    if sampling and call.headers["anthropic-version"] != "2023-06-01":
        raise _Refused("sampling: Extra inputs are not permitted")
    if not 0 <= sampling.get("temperature", 0) <= 1:
        raise _Refused("temperature: range: 0..1")
    kind, adapter = (MessageCreateParamsBase, _ask)
    if call.path.endswith("/count_tokens"):
        kind, adapter = MessageCountTokensParams, _count
    elif "anthropic-beta" in call.headers:
        kind, adapter = BetaParams, _beta
    body.pop("stream", None)
    unknown = body.keys() - kind.__annotations__.keys() - {"x_vendor"}
    if unknown:
        raise _Refused(f"{min(unknown)}: Extra inputs are not permitted")
    try:
        adapter.validate_python(body, strict=True)
    except ValidationError as error:
        raise _Refused(f"messages: {error.errors()[0]['loc']} {error.errors()[0]['msg']}") from error
    _check_turns(body["messages"])
    _check_thinking(body)
    if json.dumps(body).count('"cache_control"') > 4:
        raise _Refused("A maximum of 4 blocks with cache_control may be provided")


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """Every call is answered at the head of the very next turn, and nothing is empty."""
    waiting: set[str] = set()
    for message in messages:
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        if not blocks or any(block["type"] == "text" and not block["text"] for block in blocks):
            raise _Refused("messages: text content blocks must be non-empty")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if waiting != set(results) or [b["type"] for b in blocks[: len(results)]] != ["tool_result"] * len(results):
            raise _Refused("messages: `tool_use` ids were found without `tool_result` blocks immediately after")
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking", {"type": "disabled"})
    most = body.get("max_tokens", thinking.get("budget_tokens", 0) + 1)  # a count has no such bound
    if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < most:
        raise _Refused("`max_tokens` must be greater than `thinking.budget_tokens`")
    if thinking["type"] != "disabled" and body.get("tool_choice", {}).get("type") in {"any", "tool"}:
        raise _Refused("Thinking may not be enabled when tool_choice forces tool use.")
    if any(block["type"] == "thinking" and block["signature"] != SIGNATURE for block in _blocks(body)):
        raise _Refused("messages: Invalid `signature` in `thinking` block")


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for m in body["messages"] if isinstance(m["content"], list) for block in m["content"]]


def message(call: Call) -> dict[str, Any]:
    """What the request asks for: thoughts, calls, a shape, or words."""
    body = call.body
    if body["model"] == _CODER:
        return _coded(body)
    thinks = body.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    content: list[dict[str, Any]] = []
    if thinks:
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    has_results = any(block["type"] == "tool_result" for block in _blocks(body))
    reason = "end_turn"
    if body.get("tools") and body.get("tool_choice", {}).get("type") == "tool":
        name = body["tool_choice"]["name"]
        content.append({"type": "tool_use", "id": "toolu_9", "name": name, "input": {"city": "Cairo"}})
        reason = "tool_use"
    elif body.get("tools") and not has_results and body.get("tool_choice", {}).get("type") != "none":
        name = body["tools"][0]["name"]
        content += [
            {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": {"city": city}}
            for n, city in enumerate(CITIES)
        ]
        reason = "tool_use"
    elif body.get("output_config", {}).get("format"):
        content.append({"type": "text", "text": '{"city": "Cairo"}'})
    else:
        content.append({"type": "text", "text": TEXT})
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
    return {**head, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": USAGE}


def _coded(body: dict[str, Any]) -> dict[str, Any]:
    """What a model says that works for a coding agent."""
    results = [_text_of(block) for block in _blocks(body) if block["type"] == "tool_result"]
    content: list[dict[str, Any]] = []
    if body.get("thinking", {}).get("type") in {"enabled", "adaptive"}:
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    steps = next_steps({tool["name"] for tool in body.get("tools", ())}, results)
    for n, step in enumerate(steps, len(results)):
        given = json.loads(step.arguments)
        content.append({"type": "tool_use", "id": f"toolu_{n}", "name": step.tool, "input": given})
    if not steps:
        content.append({"type": "text", "text": closing_words(results)})
    head = {"id": f"msg_{len(results)}", "type": "message", "role": "assistant", "model": body["model"]}
    reason = "tool_use" if steps else "end_turn"
    return {**head, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": USAGE}


def _text_of(result: dict[str, Any]) -> str:
    held = result["content"]
    return held if isinstance(held, str) else "".join(block["text"] for block in held if block["type"] == "text")


def whole(found: dict[str, Any]) -> bytes:
    """With whitespace and members of its own, as real providers have."""
    return json.dumps(found | {"x_vendor": {"a": 1}}, indent=1, ensure_ascii=False).encode() + b"\n"


def stream(found: dict[str, Any]) -> list[bytes]:
    """The order of the public documentation: a ping after the first block began, usage at both ends."""
    first = {**USAGE, "output_tokens": 1}
    del first["output_tokens_details"]
    begun = {**found, "content": [], "stop_reason": None, "usage": first}
    events = [event("message_start", message=begun)]
    for index, block in enumerate(found["content"]):
        events.append(event("content_block_start", index=index, content_block=_empty(block)))
        if index == 0:
            events.append(event("ping"))
        events += [event("content_block_delta", index=index, delta=delta) for delta in _deltas(block)]
        events.append(event("content_block_stop", index=index))
    stop = {name: found[name] for name in ("stop_reason", "stop_sequence")}
    late = {name: USAGE[name] for name in ("output_tokens", "output_tokens_details")}
    return [*events, event("message_delta", delta=stop, usage=late), event("message_stop")]


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {**block, "input": {}}
    return {"type": "text", "text": ""} if block["type"] == "text" else {**block, "thinking": "", "signature": ""}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"], ensure_ascii=False)
        yield {"type": "input_json_delta", "partial_json": ""}
        for start in range(0, len(text), 5):
            yield {"type": "input_json_delta", "partial_json": text[start : start + 5]}
    elif block["type"] == "thinking":
        yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        pieces = WORDS if block["text"] == TEXT else [block["text"][:4], block["text"][4:]]
        yield from ({"type": "text_delta", "text": piece} for piece in pieces)


def event(name: str, **members: Any) -> bytes:
    data = json.dumps({"type": name, **members}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()


def come_from_cloud(call: Call) -> bool:
    """In Google's cloud the model stands in the address, the edition in the body; False for what is not so."""
    found = _IN_CLOUD.fullmatch(call.path)
    body = call.body
    edition = body.pop("anthropic_version", "")
    if found is None or edition not in _EDITIONS or bool(body.get("stream")) != (found["verb"] == "streamRawPredict"):
        return False
    if found["model"] == "count-tokens":
        call.path = "/v1/messages/count_tokens"
    elif "model" in body:
        return False
    else:
        body["model"] = found["model"].partition("@")[0]
    call.headers["anthropic-version"] = _EDITIONS[edition]
    return True


def _at_the_door(call: Call) -> Callable[[Handler, Call], None] | None:
    if call.path.startswith("/v1/projects/"):
        if not call.headers.get("authorization", "").startswith("Bearer token-"):
            return _googles_refusal
        if not come_from_cloud(call):
            return refuse(400, "invalid_request_error", "this is no call to Claude in Google's cloud")
    elif call.headers.get("x-api-key") != "sk-ant-mock":
        return refuse(401, "authentication_error", "invalid x-api-key")
    elif "anthropic-version" not in call.headers:
        return refuse(400, "invalid_request_error", "anthropic-version: header is required")
    return None


class _Handler(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        refusal = _at_the_door(call)
        if refusal is not None:
            return refusal
        thread = call.body.get("thread") or {}
        if thread.get("type") == "continue":
            call.body["messages"] = _held[thread["previous_message_id"]] + call.body["messages"]
        try:
            check(call)
        except _Refused as error:
            return refuse(400, "invalid_request_error", str(error))
        if call.path.endswith("/count_tokens"):
            return lambda handler, _: handler.answer(200, json.dumps({"input_tokens": COUNTED}).encode())
        return _BEHAVIOURS.get(call.body["model"], _answer)


def _answer(handler: Handler, call: Call) -> None:
    found = message(call)
    if call.body.get("thread"):
        _held[found["id"]] = [*call.body["messages"], {"role": "assistant", "content": found["content"]}]
    if not call.body.get("stream"):
        handler.answer(200, whole(found), request_id="req_upstream")
        return
    handler.begin_stream()
    for piece in stream(found):
        handler.piece(call, piece)
    handler.wfile.write(b"0\r\n\r\n")


def refuse(status: int, kind: str, text: str, **headers: str) -> Callable[[Handler, Call], None]:
    said = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_upstream"}
    return lambda handler, _: handler.answer(status, json.dumps(said).encode(), **headers)


def _googles_refusal(handler: Handler, call: Call) -> None:
    """Who comes without a token does not reach Claude."""
    error = {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}
    handler.answer(401, json.dumps([{"error": error}]).encode())


def _begun(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for piece in stream(message(call))[:3]:
        handler.piece(call, piece)


def _piece(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def _cut_after_ten(handler: Handler, call: Call) -> None:
    _begun(handler, call)
    for _ in range(10):
        handler.piece(call, _piece("x"))
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _cut_at_once(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    handler.wfile.flush()
    handler.reset()


def _error_within(handler: Handler, call: Call) -> None:
    _begun(handler, call)
    handler.piece(call, _piece("so far"))
    handler.piece(call, event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    handler.wfile.write(b"0\r\n\r\n")


def _endless(handler: Handler, call: Call) -> None:
    _begun(handler, call)
    for number in range(200):
        handler.piece(call, _piece(f"{number} "))
        time.sleep(0.02)
    handler.wfile.write(b"0\r\n\r\n")


_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "claude-limited": refuse(429, "rate_limit_error", "slow down", retry_after="7"),
    "claude-limited-briefly": refuse(429, "rate_limit_error", "slow down", retry_after="0.02"),
    "claude-overloaded": refuse(529, "overloaded_error", "Overloaded"),
    "claude-broken": refuse(500, "api_error", "Internal server error"),
    "claude-too-short": refuse(400, "invalid_request_error", "prompt is too long: 204800 tokens > 200000 maximum"),
    "claude-cut": _cut_after_ten,
    "claude-cut-at-once": _cut_at_once,
    "claude-error-within": _error_within,
    "claude-endless": _endless,
}
MODELS = ("claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-5-5", "claude-sonnet-4-20250514", _CODER, *_BEHAVIOURS)


@contextmanager
def anthropic_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
