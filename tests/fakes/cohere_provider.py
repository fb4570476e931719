"""A small provider that speaks Cohere's API, and refuses what the API refuses.

Requests are checked by the types of Cohere's own SDK, unknown members included; the rules beside them are those of its
public documentation. What it does is decided by the model it is asked for, and by what the request holds.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from cohere import types
from cohere.types.chat_message_v2 import ChatMessageV2
from cohere.v2.client import V2Client
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.fakes.model_provider import CITIES, WORDS, Call, Handler, Provider, served

KEY = "cohere-mock"
USAGE = {
    "billed_units": {"input_tokens": 11, "output_tokens": 7},
    "tokens": {"input_tokens": 71, "output_tokens": 9},
    "cached_tokens": 16,
}
THOUGHT = "They greet me, so I greet them."
PLAN = "I will look up both cities."
TEXT = "".join(WORDS)
VECTOR = [0.25, -0.5, 1.0, 0.125]
CITATION = {"start": 0, "end": 5, "text": "Peace", "sources": [{"type": "document", "id": "doc:0"}]}
_MEMBERS = {
    "/v2/chat": set(signature(V2Client.chat).parameters) | {"stream"},
    "/v2/embed": set(signature(V2Client.embed).parameters),
    "/v2/rerank": set(signature(V2Client.rerank).parameters),
}
_TYPES: dict[str, TypeAdapter[Any]] = {
    "messages": TypeAdapter(list[ChatMessageV2]),
    "tools": TypeAdapter(list[types.ToolV2]),
    "response_format": TypeAdapter(types.ResponseFormatV2),
    "thinking": TypeAdapter(types.Thinking),
    "citation_options": TypeAdapter(types.CitationOptions),
    "documents": TypeAdapter(list[str | types.Document] | list[str]),
}
_RANGES = {
    "temperature": (0, 1),
    "k": (0, 500),
    "p": (0.01, 0.99),
    "frequency_penalty": (0, 1),
    "presence_penalty": (0, 1),
}


class _Refused(Exception):
    pass


def check(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Raises for what Cohere answers with 400 or 422."""
    unknown = body.keys() - _MEMBERS[path]
    if unknown:
        raise _Refused(f"invalid request: unknown field: {min(unknown)}")
    for name in body.keys() & _TYPES.keys():
        if name == "documents" and path == "/v2/rerank":
            continue
        try:
            held = _TYPES[name].validate_python(body[name])
        except ValidationError as error:
            raise _Refused(f"invalid request: {name} {error.errors()[0]['loc']}") from error
        _check_unknown(held, name)
    for name, (least, most) in _RANGES.items():
        if name in body and not least <= body[name] <= most:
            raise _Refused(f"invalid request: {name} must be between {least} and {most}")
    if body.get("tool_choice", "NONE") not in {"NONE", "REQUIRED"}:
        raise _Refused("invalid request: tool_choice")
    if "response_format" in body and ("tools" in body or "documents" in body):
        raise _Refused("cannot specify both response_format and tools or documents")
    if path == "/v2/chat":
        _check_turns(body["messages"])
    return body


def _check_unknown(held: Any, where: str) -> None:
    if isinstance(held, list):
        for entry in held:
            _check_unknown(entry, where)
    elif isinstance(held, BaseModel):
        if held.model_extra:
            raise _Refused(f"invalid request: unknown field in {where}: {min(held.model_extra)}")
        for name in type(held).model_fields:
            _check_unknown(getattr(held, name), f"{where}.{name}")


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """Every call is answered right behind it; nothing is empty."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if not waiting or message["tool_call_id"] != waiting.pop(0):
                raise _Refused("invalid request: tool message must follow its tool call")
            continue
        if waiting:
            raise _Refused("invalid request: all tool calls must have a result")
        if message["role"] != "assistant" and not message["content"]:
            raise _Refused("invalid request: message must have content")
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        if message["role"] == "assistant" and not waiting and not message.get("content"):
            raise _Refused("invalid request: message must have content or tool_calls")


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """What the request asks for: thoughts, calls, a shape, or words with where they come from."""
    message: dict[str, Any] = {"role": "assistant"}
    content: list[dict[str, Any]] = []
    if body.get("thinking", {}).get("type") == "enabled":
        content.append({"type": "thinking", "thinking": THOUGHT})
    has_results = any(entry["role"] == "tool" for entry in body["messages"])
    reason = "COMPLETE"
    if body.get("tools") and not has_results and body.get("tool_choice") != "NONE":
        name = body["tools"][0]["function"]["name"]
        message["tool_plan"] = PLAN
        message["tool_calls"] = [
            {
                "id": f"{name}_{n}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps({"city": city})},
            }
            for n, city in enumerate(CITIES)
        ]
        reason = "TOOL_CALL"
    elif "response_format" in body:
        content.append({"type": "text", "text": '{"city": "Cairo"}'})
    else:
        content.append({"type": "text", "text": TEXT})
        message["citations"] = [CITATION] if "documents" in body else None
    if content:
        message["content"] = content
    said = {name: value for name, value in message.items() if value is not None}
    return {"id": "c14c80c3", "finish_reason": reason, "message": said, "usage": USAGE}


def whole(found: dict[str, Any]) -> bytes:
    """With whitespace and a member of its own, as real providers have."""
    return json.dumps(found | {"x_vendor": {"a": 1}}, indent=1, ensure_ascii=False).encode() + b"\n"


def stream(found: dict[str, Any]) -> list[bytes]:
    """The order of the public documentation."""
    message = found["message"]
    events = [event("message-start", id=found["id"], delta={"message": {"role": "assistant", "content": []}})]
    if "tool_plan" in message:
        events += [event("tool-plan-delta", delta={"message": {"tool_plan": word}}) for word in _pieces(PLAN)]
    for index, content in enumerate(message.get("content", ())):
        kind = content["type"]
        empty = {"message": {"content": {"type": kind, kind: ""}}}
        events.append(event("content-start", index=index, delta=empty))
        pieces = WORDS if content.get("text") == TEXT else _pieces(content[kind])
        events += [event("content-delta", index=index, delta={"message": {"content": {kind: one}}}) for one in pieces]
        events.append(event("content-end", index=index))
    for index, call in enumerate(message.get("tool_calls", ())):
        begun = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        events.append(event("tool-call-start", index=index, delta={"message": {"tool_calls": begun}}))
        for piece in _pieces(call["function"]["arguments"]):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            events.append(event("tool-call-delta", index=index, delta=delta))
        events.append(event("tool-call-end", index=index))
    for index, citation in enumerate(message.get("citations", ())):
        events.append(event("citation-start", index=index, delta={"message": {"citations": citation}}))
        events.append(event("citation-end", index=index))
    end = {"finish_reason": found["finish_reason"], "usage": found["usage"]}
    return [*events, event("message-end", delta=end), b"data: [DONE]\n\n"]


def _pieces(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


def event(kind: str, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


class _Handler(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return refuse(401, "invalid api token")
        if call.path not in _MEMBERS:
            return refuse(404, "page not found")
        try:
            body = check(call.path, call.body)
        except _Refused as error:
            return refuse(400, str(error))
        if call.path != "/v2/chat":
            return lambda handler, _: handler.answer(200, json.dumps(_one_shot(call.path, body)).encode())
        return _BEHAVIOURS.get(body["model"], _answer)


def _one_shot(path: str, body: dict[str, Any]) -> dict[str, Any]:
    version = {"api_version": {"version": "2"}}
    if path == "/v2/rerank":
        results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
        return {
            "id": "r1",
            "results": results[: body.get("top_n", 2)],
            "meta": {**version, "billed_units": {"search_units": 1}},
        }
    vectors = [VECTOR[: body.get("output_dimension", len(VECTOR))] for _ in body["texts"]]
    meta = {**version, "billed_units": {"input_tokens": 5}}
    return {
        "id": "e1",
        "embeddings": {"float": vectors},
        "texts": body["texts"],
        "meta": meta,
        "response_type": "embeddings_by_type",
    }


def _answer(handler: Handler, call: Call) -> None:
    found = answer(call.body)
    if not call.body.get("stream"):
        handler.answer(200, whole(found))
        return
    send(handler, call, stream(found))


def send(handler: Handler, call: Call, said: list[bytes]) -> None:
    handler.begin_stream()
    for piece in said:
        handler.piece(call, piece)
    handler.wfile.write(b"0\r\n\r\n")


def refuse(status: int, text: str, **headers: str) -> Callable[[Handler, Call], None]:
    body = json.dumps({"id": "f1", "message": text}).encode()
    return lambda handler, _: handler.answer(status, body, **headers)


def _said(text: str) -> bytes:
    return event("content-delta", index=0, delta={"message": {"content": {"text": text}}})


def _cut_after_ten(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for _ in range(10):
        handler.piece(call, _said("x"))
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _ended_unsaid(handler: Handler, call: Call) -> None:
    send(handler, call, [_said("so far")])


def _error_within(handler: Handler, call: Call) -> None:
    end = {"finish_reason": "ERROR", "error": "the model went away"}
    send(handler, call, [_said("so far"), event("message-end", delta=end), _said("never")])


def _endless(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for number in range(200):
        handler.piece(call, _said(f"{number} "))
        time.sleep(0.02)
    handler.wfile.write(b"0\r\n\r\n")


_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "limited": refuse(429, "You are past the per minute request limit.", retry_after="7"),
    "too-short": refuse(400, "too many tokens: total number of tokens cannot exceed 128000"),
    "cut": _cut_after_ten,
    "ended-unsaid": _ended_unsaid,
    "error-within": _error_within,
    "endless": _endless,
}
COMMAND = "command-a-reasoning-08-2025"
MODELS = (COMMAND, "command-r-08-2024", "embed-v4.0", "rerank-v3.5", *_BEHAVIOURS)


@contextmanager
def cohere_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
