"""A small provider that speaks OpenAI's wire format. What it does is decided by the model it is asked for."""

import base64
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.coding import closing_words, next_steps

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CITIES = ["Cairo", "مكة"]
_LONGEST_USER = 64
_LARGEST_OUTPUT = 16_384
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
WORDS = ["Peace", " be", " upon", " you", ",", " عليكم", " السلام", "!"]


@dataclass
class Call:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    sent_at: list[float] = field(default_factory=list)
    was_left: bool = False

    @property
    def events_sent(self) -> int:
        return len(self.sent_at)


@dataclass
class Provider:
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    def of(self, model: str) -> list[Call]:
        return [call for call in self.calls if call.body.get("model") == model]


def whole(model: str) -> bytes:
    """With whitespace and members of its own, as real providers have."""
    usage = json.dumps(USAGE)
    return (
        f'{{ "id": "chatcmpl-1",\n  "object": "chat.completion", "created": 1, "model": "{model}",\n'
        f'  "choices": [{{"index": 0, "message": {{"role": "assistant", "content": "{"".join(WORDS)}"}}, '
        f'"finish_reason": "stop"}}],\n  "usage": {usage}, "x_vendor": {{"a":  1}} }}\n'
    ).encode()


def event(model: str, delta: dict[str, Any], finish: str | None = None, *, asked_usage: bool) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    if asked_usage:
        chunk["usage"] = None
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def _usage_event(model: str) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [], "usage": USAGE}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: Provider

    def do_POST(self) -> None:
        raw = self.everything()
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.path, headers, read_body(headers.get("content-type", "application/json"), raw), raw)
        self.provider.calls.append(call)
        try:
            self.behaviour(call)(self, call)
        except (BrokenPipeError, ConnectionResetError):
            call.was_left = True
            self.close_connection = True

    def behaviour(self, call: Call) -> "Callable[[Handler, Call], None]":
        if self.path.endswith("/responses"):
            return _no_such_address
        return _BEHAVIOURS.get(call.body["model"]) or ONE_SHOT.get(self.path.removeprefix("/v1")) or _answer

    def everything(self) -> bytes:
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def answer(self, status: int, body: bytes, *, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def piece(self, call: Call, data: bytes) -> None:
        call.sent_at.append(time.perf_counter())
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def reset(self) -> None:
        """Cut, not closed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        pass


def read_body(content_type: str, raw: bytes) -> dict[str, Any]:
    """JSON, or a form's fields by name; a file's is its bytes."""
    if not content_type.startswith("multipart/"):
        return json.loads(raw)
    message = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + raw)
    fields: dict[str, Any] = {}
    for part in message.get_payload():
        value = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        fields[name] = value if part.get_filename() else value.decode()
    return fields


def _no_such_address(handler: Handler, call: Call) -> None:
    """Many servers of this dialect know no Responses, and say so in their web framework's words."""
    handler.answer(404, b'{"detail": "Not Found"}')


def _wants_usage(call: Call) -> bool:
    return bool((call.body.get("stream_options") or {}).get("include_usage"))


def _answer(handler: Handler, call: Call) -> None:
    model = call.body["model"]
    if not call.body.get("stream"):
        handler.answer(200, whole(model))
        return
    _say(handler, call, WORDS)


def _say(handler: Handler, call: Call, words: list[str]) -> None:
    model, asked = call.body["model"], _wants_usage(call)
    handler.begin_stream()
    handler.piece(call, event(model, {"role": "assistant", "content": words[0]}, asked_usage=asked))
    for word in words[1:]:
        handler.piece(call, event(model, {"content": word}, asked_usage=asked))
    handler.piece(call, event(model, {}, "stop", asked_usage=asked))
    if asked:
        handler.piece(call, _usage_event(model))
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _refuse(status: int, error: dict[str, Any], **headers: str) -> Callable[[Handler, Call], None]:
    body = json.dumps({"error": error}).encode()
    return lambda handler, _: handler.answer(status, body, **headers)


def _cut_after_ten(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for _ in range(10):
        handler.piece(call, event(call.body["model"], {"content": "x"}, asked_usage=True))
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _cut_at_once(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    handler.wfile.flush()
    handler.reset()


def _error_within(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    handler.piece(call, event(call.body["model"], {"content": "so far"}, asked_usage=True))
    error = {"message": "overloaded inside", "type": "server_error", "param": None, "code": "overloaded"}
    handler.piece(call, b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _endless(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for number in range(200):
        handler.piece(call, event(call.body["model"], {"content": f"{number} "}, asked_usage=True))
        time.sleep(0.02)
    handler.wfile.write(b"0\r\n\r\n")


def _paced(handler: Handler, call: Call) -> None:
    """Thinks a moment, then says a word every 30 ms."""
    handler.begin_stream()
    time.sleep(0.1)
    for word in WORDS:
        handler.piece(call, event(call.body["model"], {"content": word}, asked_usage=True))
        time.sleep(0.03)
    handler.piece(call, event(call.body["model"], {}, "stop", asked_usage=True))
    handler.piece(call, _usage_event(call.body["model"]))
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _stop_for_length(handler: Handler, call: Call) -> None:
    body = json.loads(whole(call.body["model"]))
    body["choices"][0]["finish_reason"] = "length"
    handler.answer(200, json.dumps(body).encode())


def _call_tools(handler: Handler, call: Call) -> None:
    """Two at once; when their results are there, an answer."""
    model = call.body["model"]
    if any(message["role"] == "tool" for message in call.body["messages"]):
        _answer(handler, call)
        return
    entries = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": "weather", "arguments": json.dumps({"city": city})},
        }
        for n, city in enumerate(CITIES)
    ]
    if not call.body.get("stream"):
        message = {"role": "assistant", "content": None, "tool_calls": entries}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        head = {"id": "chatcmpl-2", "object": "chat.completion", "created": 1, "model": model}
        handler.answer(200, json.dumps({**head, "choices": [choice], "usage": USAGE}).encode())
        return
    _stream_calls(handler, call, entries)


def _stream_calls(handler: Handler, call: Call, entries: list[dict[str, Any]]) -> None:
    model = call.body["model"]
    handler.begin_stream()
    for n, entry in enumerate(entries):
        begun = {**entry, "index": n, "function": {**entry["function"], "arguments": ""}}
        role = {"role": "assistant", "content": None} if n == 0 else {}
        handler.piece(call, event(model, {**role, "tool_calls": [begun]}, asked_usage=True))
        for letter in entry["function"]["arguments"]:
            piece = {"index": n, "function": {"arguments": letter}}
            handler.piece(call, event(model, {"tool_calls": [piece]}, asked_usage=True))
    handler.piece(call, event(model, {}, "tool_calls", asked_usage=True))
    handler.piece(call, _usage_event(model))
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _code(handler: Handler, call: Call) -> None:
    """A model that works for a coding agent; streams only, and refuses what OpenAI refuses of those."""
    if refusal := _too_much(call.body):
        _refuse(400, {**refusal, "type": "invalid_request_error", "code": "invalid_value"})(handler, call)
        return
    told = [message for message in call.body["messages"] if message["role"] == "tool"]
    results = [_text_of(message["content"]) for message in told]
    steps = next_steps({tool["function"]["name"] for tool in call.body.get("tools", ())}, results)
    if not steps:
        _say(handler, call, [closing_words(results)])
        return
    entries = [
        {"id": f"call_{n}", "type": "function", "function": {"name": step.tool, "arguments": step.arguments}}
        for n, step in enumerate(steps, len(results))
    ]
    _stream_calls(handler, call, entries)


def _text_of(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _too_much(body: dict[str, Any]) -> dict[str, Any] | None:
    """The bounds that OpenAI sets to what coding agents send without measure."""
    if len(body.get("user", "")) > _LONGEST_USER:
        return {"message": f"Invalid 'user': string too long. Expected at most {_LONGEST_USER}.", "param": "user"}
    if body.get("max_completion_tokens", 0) > _LARGEST_OUTPUT:
        words = f"max_tokens is too large. This model supports at most {_LARGEST_OUTPUT} completion tokens."
        return {"message": words, "param": "max_tokens"}
    for n, tool in enumerate(body.get("tools", ())):
        if not _NAME.fullmatch(tool["function"]["name"]):
            return {"message": f"Invalid 'tools[{n}].function.name'", "param": f"tools[{n}].function.name"}
    return None


def _embed(handler: Handler, call: Call) -> None:
    texts = call.body["input"] if isinstance(call.body["input"], list) else [call.body["input"]]
    vector = [0.25, -0.5, 1.0]
    packed = base64.b64encode(struct.pack("<3f", *vector)).decode()
    held = packed if call.body.get("encoding_format") == "base64" else vector
    data = [{"object": "embedding", "index": place, "embedding": held} for place in range(len(texts))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    handler.answer(
        200, json.dumps({"object": "list", "data": data, "model": call.body["model"], "usage": usage}).encode()
    )


def _paint(handler: Handler, call: Call) -> None:
    pictures = [{"b64_json": base64.b64encode(b"picture").decode()}] * int(call.body.get("n", 1))
    details = {"text_tokens": 10, "image_tokens": 40}
    usage = {"input_tokens": 50, "output_tokens": 100, "total_tokens": 150, "input_tokens_details": details}
    handler.answer(200, json.dumps({"created": 1, "data": pictures, "usage": usage}).encode())


def _speak(handler: Handler, call: Call) -> None:
    handler.answer(200, SOUND, kind="audio/mpeg")


def _hear(handler: Handler, call: Call) -> None:
    if call.body.get("response_format") == "text":
        handler.answer(200, b"Peace upon you", kind="text/plain; charset=utf-8")
        return
    heard = {"text": f"{len(call.body['file'])} bytes", "usage": {"type": "duration", "seconds": 30}}
    handler.answer(200, json.dumps(heard).encode())


def _judge(handler: Handler, call: Call) -> None:
    result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
    handler.answer(200, json.dumps({"id": "modr-1", "model": call.body["model"], "results": [result]}).encode())


def _rank(handler: Handler, call: Call) -> None:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    handler.answer(
        200, json.dumps({"id": "r1", "results": results, "meta": {"billed_units": {"search_units": 1}}}).encode()
    )


def _complete(handler: Handler, call: Call) -> None:
    choice = {"index": 0, "text": "".join(WORDS), "logprobs": None, "finish_reason": "stop"}
    whole = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": call.body["model"],
        "choices": [choice],
    }
    handler.answer(200, json.dumps({**whole, "usage": USAGE}).encode())


def _tell_the_key(handler: Handler, call: Call) -> None:
    words = f"Incorrect API key provided: {call.headers.get('authorization', '').removeprefix('Bearer ')}."
    error = {"message": words, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    handler.answer(401, json.dumps({"error": error}).encode())


SOUND = bytes(range(256)) * 400
ONE_SHOT: dict[str, Callable[[Handler, Call], None]] = {
    "/embeddings": _embed,
    "/images/generations": _paint,
    "/images/edits": _paint,
    "/audio/speech": _speak,
    "/audio/transcriptions": _hear,
    "/audio/translations": _hear,
    "/moderations": _judge,
    "/rerank": _rank,
    "/completions": _complete,
}
_RATE = {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
_LENGTH = {
    "message": "This model's maximum context length is 8192 tokens, and this is more.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}
_PARAM = {"message": "too hot", "type": "invalid_request_error", "param": "temperature", "code": "bad_value"}
_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "rate-limited": _refuse(429, _RATE, retry_after="7"),
    "rate-limited-briefly": _refuse(429, _RATE, retry_after_ms="20"),
    "too-hot": _refuse(400, _PARAM),
    "broken": _refuse(500, {"message": "boom", "type": "server_error", "param": None, "code": "boom"}),
    "cut": _cut_after_ten,
    "cut-at-once": _cut_at_once,
    "error-within": _error_within,
    "endless": _endless,
    "paced": _paced,
    "tool-caller": _call_tools,
    "coder": _code,
    "too-short": _refuse(400, _LENGTH),
    "wordy": _stop_for_length,
    "tells-the-key": _tell_the_key,
}


@contextmanager
def model_provider() -> Iterator[Provider]:
    with served(Handler, "/v1") as found:
        yield found


@contextmanager
def served(handler: type[Handler], path: str = "") -> Iterator[Provider]:
    found = Provider()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (handler,), {"provider": found})) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
