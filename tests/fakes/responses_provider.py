"""A small provider that speaks OpenAI's Responses API, keeps its answers, and refuses what the API refuses.

Requests are checked by the types of OpenAI's own SDK. What it does is decided by the model it is asked for.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import TypeAdapter, ValidationError

from tests.fakes.coding import Step, closing_words, next_steps
from tests.fakes.model_provider import WORDS, Call, Handler, Provider, served

USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 29,
}
ENCRYPTED = "gAAAAABsealed-by-openai"
TEXT = "".join(WORDS)
KEY = "sk-openai-mock"
_CODER = "gpt-coder"
_SEARCH = "tool_search"
_BRINGING = {"additional_tools", f"{_SEARCH}_output"}

_ask = TypeAdapter(ResponseCreateParamsBase)


def answer(call: Call, number: int) -> dict[str, Any]:
    body = call.body
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": ENCRYPTED}
    said = _coded(body) if body["model"] == _CODER else [_message(TEXT)]
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "model": f"{body['model']}-2026-01-01",
        "output": [reasoning, *said],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "usage": USAGE,
        "x_vendor": {"a": 1},
    }


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _coded(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model says that works for a coding agent, whose tools may stand among the items."""
    items = body["input"] if isinstance(body["input"], list) else []
    added = [tool for item in items if item.get("type") in _BRINGING for tool in item["tools"]]
    spaces = {name: space for space, name in _names([*body.get("tools", ()), *added])}
    results = [_text_of(item.get("output", "")) for item in items if item.get("type", "").endswith("_output")]
    steps = next_steps(spaces, results)
    if not steps:
        return [_message(closing_words(results))]
    return [_call(step, spaces[step.tool], n) for n, step in enumerate(steps, len(results))]


def _names(tools: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for tool in tools:
        if tool["type"] == "namespace":
            yield from ((tool["name"], inner["name"]) for inner in tool["tools"])
        else:
            yield "", tool.get("name", tool["type"])


def _call(step: Step, space: str, number: int) -> dict[str, Any]:
    if step.tool == _SEARCH:
        about = {"call_id": f"call_{number}", "execution": "client", "status": "completed"}
        return {"id": f"item_{number}", "type": f"{_SEARCH}_call", **about, "arguments": json.loads(step.text)}
    kind, member = ("custom_tool_call", "input") if step.is_free else ("function_call", "arguments")
    about = {"type": kind, "call_id": f"call_{number}", "name": step.tool, member: step.text, "status": "completed"}
    return {"id": f"item_{number}", **about, **({"namespace": space} if space else {})}


def _text_of(output: str | list[dict[str, Any]]) -> str:
    return output if isinstance(output, str) else "".join(part.get("text", "") for part in output)


def stream(found: dict[str, Any]) -> list[bytes]:
    """The order of the public documentation."""
    begun = {**found, "status": "in_progress", "output": [], "usage": None}
    reasoning, *said = found["output"]
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": reasoning}),
        ("response.output_item.done", {"output_index": 0, "item": reasoning}),
        *(event for index, item in enumerate(said, 1) for event in _item_told(index, item)),
        ("response.completed", {"response": found}),
    ]
    return [event(kind, number, **members) for number, (kind, members) in enumerate(told)]


def _item_told(index: int, item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if item["type"] == f"{_SEARCH}_call":
        yield "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress"}}
        yield "response.output_item.done", {"output_index": index, "item": item}
        return
    is_message = item["type"] == "message"
    member = "content" if is_message else "input" if item["type"] == "custom_tool_call" else "arguments"
    begun = {**item, "status": "in_progress", member: [] if is_message else ""}
    yield "response.output_item.added", {"output_index": index, "item": begun}
    place = {"item_id": item["id"], "output_index": index}
    if is_message:
        yield from _text_told({**place, "content_index": 0}, item["content"][0])
    else:
        kind = "custom_tool_call_input" if member == "input" else "function_call_arguments"
        yield f"response.{kind}.delta", {**place, "delta": item[member]}
        yield f"response.{kind}.done", {**place, member: item[member]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _text_told(place: dict[str, Any], part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    words = WORDS if part["text"] == TEXT else [part["text"]]
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    yield from (("response.output_text.delta", {**place, "delta": word, "logprobs": []}) for word in words)
    yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}


def event(kind: str, number: int, **members: Any) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **members}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


class _Handler(Handler):
    kept: dict[str, dict[str, Any]]

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        self._kept(lambda found: found)

    def do_DELETE(self) -> None:  # noqa: N802 - http.server's name
        self._kept(self._delete)

    def _delete(self, found: dict[str, Any]) -> dict[str, Any]:
        del self.kept[found["id"]]
        return {"id": found["id"], "object": "response", "deleted": True}

    def _kept(self, do: Callable[[dict[str, Any]], Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.provider.calls.append(Call(f"{self.command} {self.path}", headers, {}, b""))
        answer_id, _, rest = self.path.partition("?")[0].removeprefix("/v1/responses/").partition("/")
        found = self.kept.get(answer_id)
        if headers.get("authorization") != f"Bearer {KEY}":
            self.refuse(401, "Incorrect API key", "invalid_api_key")
        elif found is None:
            self.refuse(404, f"Response with id '{answer_id}' not found.", None)
        elif rest:
            self.answer(200, json.dumps({"object": "list", "data": [{"id": "in_1"}], "has_more": False}).encode())
        else:
            self.answer(200, json.dumps(do(found)).encode())

    def refuse(self, status: int, message: str, code: str | None, param: str | None = None, **headers: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        self.answer(status, json.dumps({"error": error}).encode(), **headers)

    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return lambda _, __: self.refuse(401, "Incorrect API key", "invalid_api_key")
        if call.path != "/v1/responses":
            return lambda _, __: self.refuse(404, f"Invalid URL (POST {call.path})", None)
        try:
            _ask.validate_python(_said(call.body))
        except ValidationError as error:
            words = str(error.errors()[0]["loc"])
            return lambda _, __: self.refuse(400, f"Invalid value: {words}", "invalid_value")
        before = call.body.get("previous_response_id")
        if before is not None and before not in self.kept:
            words = f"Previous response with id '{before}' not found."
            return lambda _, __: self.refuse(400, words, "previous_response_not_found", "previous_response_id")
        return _BEHAVIOURS.get(call.body["model"], _answer)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """What the types know; a reasoning item without content may say so, which they do not."""
    found = {name: held for name, held in body.items() if name != "stream"}
    if isinstance(items := found.get("input"), list):
        found["input"] = [{n: held for n, held in item.items() if (n, held) != ("content", None)} for item in items]
    return found


def _answer(handler: Handler, call: Call) -> None:
    assert isinstance(handler, _Handler)
    found = answer(call, len(handler.kept) + 1)
    if call.body.get("store") is not False:
        handler.kept[found["id"]] = found
    if not call.body.get("stream"):
        handler.answer(200, json.dumps(found, indent=1, ensure_ascii=False).encode() + b"\n")
        return
    handler.begin_stream()
    for piece in stream(found):
        handler.piece(call, piece)
    handler.wfile.write(b"0\r\n\r\n")


def _limited(handler: Handler, call: Call) -> None:
    assert isinstance(handler, _Handler)
    handler.refuse(429, "slow down", "rate_limit_exceeded", retry_after="7")


def _cut(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for piece in stream(answer(call, 0))[:10]:
        handler.piece(call, piece)
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _failed(handler: Handler, call: Call) -> None:
    found = answer(call, 0)
    error = {"code": "server_error", "message": "boom inside"}
    handler.begin_stream()
    for piece in stream(found)[:8]:
        handler.piece(call, piece)
    nested = {"type": "server_error", "code": "server_error", "message": "boom inside", "param": None}
    handler.piece(call, event("error", 8, error=nested))
    handler.piece(call, event("response.failed", 9, response={**found, "status": "failed", "error": error}))
    handler.wfile.write(b"0\r\n\r\n")


_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "gpt-limited": _limited,
    "gpt-cut": _cut,
    "gpt-failed": _failed,
}
MODELS = ("gpt-5", _CODER, *_BEHAVIOURS)


@contextmanager
def responses_provider() -> Iterator[Provider]:
    with served(type("Keeping", (_Handler,), {"kept": {}}), "/v1") as found:
        yield found
