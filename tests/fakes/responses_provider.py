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

_ask = TypeAdapter(ResponseCreateParamsBase)


def answer(call: Call, number: int) -> dict[str, Any]:
    body = call.body
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": ENCRYPTED}
    part = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "model": f"{body['model']}-2026-01-01",
        "output": [reasoning, message],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "usage": USAGE,
        "x_vendor": {"a": 1},
    }


def stream(found: dict[str, Any]) -> list[bytes]:
    """The order of the public documentation."""
    begun = {**found, "status": "in_progress", "output": [], "usage": None}
    reasoning, message = found["output"]
    part = message["content"][0]
    place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": reasoning}),
        ("response.output_item.done", {"output_index": 0, "item": reasoning}),
        (
            "response.output_item.added",
            {"output_index": 1, "item": {**message, "status": "in_progress", "content": []}},
        ),
        ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
        *(("response.output_text.delta", {**place, "delta": word, "logprobs": []}) for word in WORDS),
        ("response.output_text.done", {**place, "text": TEXT, "logprobs": []}),
        ("response.content_part.done", {**place, "part": part}),
        ("response.output_item.done", {"output_index": 1, "item": message}),
        ("response.completed", {"response": found}),
    ]
    return [event(kind, number, **members) for number, (kind, members) in enumerate(told)]


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
            _ask.validate_python({name: held for name, held in call.body.items() if name != "stream"})
        except ValidationError as error:
            words = str(error.errors()[0]["loc"])
            return lambda _, __: self.refuse(400, f"Invalid value: {words}", "invalid_value")
        before = call.body.get("previous_response_id")
        if before is not None and before not in self.kept:
            words = f"Previous response with id '{before}' not found."
            return lambda _, __: self.refuse(400, words, "previous_response_not_found", "previous_response_id")
        return _BEHAVIOURS.get(call.body["model"], _answer)


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
MODELS = ("gpt-5", *_BEHAVIOURS)


@contextmanager
def responses_provider() -> Iterator[Provider]:
    with served(type("Keeping", (_Handler,), {"kept": {}}), "/v1") as found:
        yield found
