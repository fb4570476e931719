"""Small providers that speak almost as OpenAI does: Ollama in lines of JSON, Mistral with thoughts in the content.

Requests are checked by the types of their clients; the answers are those of the public documentation.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mistralai.client.models import ChatCompletionStreamRequest
from ollama._types import ChatRequest, ChatResponse
from pydantic import ValidationError

from tests.fakes.model_provider import WORDS, Call, Handler, Provider, served

TEXT = "".join(WORDS)
THOUGHT = "They greet me."
VECTOR = [0.5, 0.25]
_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
_THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]


def _line(message: dict[str, Any], **members: Any) -> bytes:
    said = {"model": "m", "created_at": "2026-11-27T10:00:00Z", "message": {"role": "assistant", **message}, **members}
    ChatResponse.model_validate(said)
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


class _Ollama(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if call.path == "/api/embed":
            body = {"model": "m", "embeddings": [VECTOR for _ in call.body["input"]], "prompt_eval_count": 5}
            return lambda handler, _: handler.answer(200, json.dumps(body).encode())
        if call.path != "/api/chat" or call.body.keys() - ChatRequest.model_fields.keys():
            return lambda handler, _: handler.answer(404, b'{"error": "model not found"}')
        ChatRequest.model_validate(call.body)
        return _lines if call.body["stream"] else _one_line


def _one_line(handler: Handler, call: Call) -> None:
    handler.answer(200, _line({"content": TEXT}, done=True, done_reason="stop", prompt_eval_count=11, eval_count=7))


def _lines(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for word in WORDS:
        handler.piece(call, _line({"content": word}, done=False))
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 7}
    handler.piece(call, _line({"content": ""}, **end))
    handler.wfile.write(b"0\r\n\r\n")


class _Mistral(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        unknown = call.body.keys() - ChatCompletionStreamRequest.model_fields.keys()
        try:
            ChatCompletionStreamRequest.model_validate(call.body)
        except ValidationError as error:
            return _refuse(call.path, str(error.errors()[0]["loc"]))
        if call.path != "/v1/chat/completions" or unknown:
            return _refuse(call.path, ",".join(sorted(unknown)))
        return _chunks if call.body.get("stream") else _whole


def _refuse(path: str, what: str) -> Callable[[Handler, Call], None]:
    detail = [{"loc": ["body", what or path], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]
    return lambda handler, _: handler.answer(422, json.dumps({"detail": detail}).encode())


def _whole(handler: Handler, call: Call) -> None:
    message = {"role": "assistant", "content": [*_THINKING, {"type": "text", "text": TEXT}]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": _USAGE}
    handler.answer(200, json.dumps(body).encode())


def _chunks(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for content in [_THINKING, *WORDS]:
        handler.piece(call, _chunk({"content": content}, None))
    handler.piece(call, _chunk({"content": ""}, "stop", usage=_USAGE))
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _chunk(delta: dict[str, Any], finish: str | None, **members: Any) -> bytes:
    said = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **members}
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\n\n"


@contextmanager
def ollama_provider() -> Iterator[Provider]:
    with served(_Ollama) as found:
        yield found


@contextmanager
def mistral_provider() -> Iterator[Provider]:
    with served(_Mistral, "/v1") as found:
        yield found
