"""A small provider that speaks Gemini's API, and refuses what the API refuses.

Requests are checked by the types of Google's own SDK, unknown members included; the rules beside them are those of its
public documentation. What it does is decided by the model it is asked for, and by what the request holds.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from urllib.parse import unquote, urlsplit

from google.genai import types
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from tests.fakes.model_provider import CITIES, WORDS, Call, Handler, Provider, served

KEY = "AIza-mock"
USAGE = {
    "promptTokenCount": 31,
    "cachedContentTokenCount": 3,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 38,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 27}, {"modality": "AUDIO", "tokenCount": 4}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
}
SEAL = base64.b64encode(b"sealed by Gemini").decode()
UNSEALED = "skip_thought_signature_validator"
THOUGHT = "They greet me, so I greet them."
TEXT = "".join(WORDS)
COUNTED = 4321
VECTOR = [0.25, -0.5, 1.0, 0.125]
_ADDRESS = re.compile(
    r"(?:/v1beta/models|/v1/projects/p1/locations/here/publishers/google/models)/(?P<model>[^:]+):(?P<verb>\w+)"
)


class _Body(BaseModel):
    """The members of the request that the SDK spreads over its parameters."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    generation_config: types.GenerationConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    cached_content: str | None = None
    service_tier: types.ServiceTier | None = None
    labels: dict[str, str] | None = None
    store: bool | None = None


class _Embedding(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, protected_namespaces=())

    model: str
    content: types.Content
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class _Single(_Embedding):
    model: str | None = None


class _Embeddings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    requests: list[_Embedding]


class _Instance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    content: str
    task_type: str | None = None
    title: str | None = None


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    output_dimensionality: int | None = None


class _Predicted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    instances: list[_Instance]
    parameters: _Parameters = _Parameters()


class _Refused(Exception):
    pass


def model_of(call: Call) -> tuple[str, str]:
    """Model and verb, which stand in the address."""
    found = _ADDRESS.fullmatch(unquote(urlsplit(call.path).path))
    return (found["model"], found["verb"]) if found else ("", "")


def check(model: str, raw: bytes) -> dict[str, Any]:
    """Raises for what Gemini answers with INVALID_ARGUMENT."""
    try:
        said = _Body.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise _Refused(f"Invalid JSON payload received. {first['loc']} {first['msg']}") from error
    body: dict[str, Any] = json.loads(raw)
    _check_turns(body["contents"], needs_seals=not model.startswith("gemini-2"))
    config = said.generation_config or types.GenerationConfig()
    thinking = config.thinking_config or types.ThinkingConfig()
    if thinking.thinking_budget is not None and thinking.thinking_level is not None:
        raise _Refused("You can only set one of thinking budget and thinking level.")
    if thinking.thinking_level is not None and model.startswith("gemini-2"):
        raise _Refused("Thinking level is not supported for this model.")
    if config.response_json_schema is not None and config.response_mime_type != "application/json":
        raise _Refused("response_json_schema needs response_mime_type application/json")
    if config.response_mime_type == "application/json" and said.tools and model.startswith("gemini-2"):
        raise _Refused("Function calling with a response mime type: 'application/json' is unsupported")
    if config.logprobs is not None and not config.response_logprobs:
        raise _Refused("Logprobs should be set only when response_logprobs is set.")
    return body


def _check_turns(contents: list[dict[str, Any]], *, needs_seals: bool) -> None:
    """Every call is answered in the very next turn, in its number and by its name; nothing is empty."""
    waiting: list[str] = []
    if any(not content.get("parts") or content["role"] not in {"user", "model"} for content in contents):
        raise _Refused("contents.parts must not be empty.")
    for _, turn in groupby(contents, key=lambda content: content["role"]):
        parts = [part for content in turn for part in content["parts"]]
        results = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        if results != waiting:
            raise _Refused("the number of function response parts is not equal to the number of function call parts")
        calls = [part for part in parts if "functionCall" in part]
        waiting = [part["functionCall"]["name"] for part in calls]
        seals = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
        if set(seals) - {SEAL, UNSEALED}:
            raise _Refused("Thought signature is not valid.")
        if needs_seals and calls and "thoughtSignature" not in calls[0]:
            raise _Refused("Function call is missing a thought_signature in functionCall parts.")


def answer(model: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the request asks for: thoughts, calls, a shape, or words."""
    config = body.get("generationConfig", {})
    parts: list[dict[str, Any]] = []
    thinking = config.get("thinkingConfig", {})
    if thinking.get("includeThoughts") or thinking.get("include_thoughts"):  # the SDK writes the second
        parts.append({"text": THOUGHT, "thought": True})
    has_results = any("functionResponse" in part for content in body["contents"] for part in content["parts"])
    choice = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if body.get("tools") and not has_results and choice.get("mode") != "NONE":
        name = (choice.get("allowedFunctionNames") or [body["tools"][0]["functionDeclarations"][0]["name"]])[0]
        calls = [
            {"functionCall": {"id": f"fc_{n}", "name": name, "args": {"city": city}}} for n, city in enumerate(CITIES)
        ]
        parts += [{**calls[0], "thoughtSignature": SEAL}, calls[1]]
    elif config.get("responseMimeType") == "application/json":
        parts.append({"text": '{"city": "Cairo"}'})
    else:
        parts.append({"text": TEXT})
    candidates = [
        {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": index}
        for index in range(config.get("candidateCount", 1))
    ]
    if config.get("responseLogprobs"):
        chosen = {"token": "Peace", "tokenId": 1, "logProbability": -0.25}
        tops = {"topCandidates": [{"candidates": [chosen]}]} if config.get("logprobs") else {}
        candidates[0]["logprobsResult"] = {"chosenCandidates": [chosen], **tops}
    return {"candidates": candidates, "usageMetadata": USAGE, "modelVersion": model, "responseId": "resp-1"}


def whole(found: dict[str, Any]) -> bytes:
    """With whitespace and a member of its own, as real providers have."""
    return json.dumps(found | {"xVendor": {"a": 1}}, indent=1, ensure_ascii=False).encode() + b"\n"


def chunks(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each an answer of its own, with the usage so far; the last one says why it ended."""
    head = {name: found[name] for name in ("modelVersion", "responseId")}
    usage = {name: count for name, count in USAGE.items() if name != "candidatesTokenCount"}
    pieces = [
        {"content": {"parts": [piece], "role": "model"}, "index": candidate["index"]}
        for candidate in found["candidates"]
        for part in candidate["content"]["parts"]
        for piece in _pieces(part)
    ]
    said = [{"candidates": [piece], "usageMetadata": usage, **head} for piece in pieces]
    for candidate in found["candidates"]:
        end = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP"}
        said.append({"candidates": [{**end, "index": candidate["index"]}], "usageMetadata": USAGE, **head})
    return said


def _pieces(part: dict[str, Any]) -> list[dict[str, Any]]:
    if part.get("text") == TEXT:
        return [{"text": word} for word in WORDS]
    return [part]


def event(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\r\n\r\n"


class _Handler(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        in_cloud = call.path.startswith("/v1/projects/")
        if in_cloud and not call.headers.get("authorization", "").startswith("Bearer token-"):
            return refuse(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if not in_cloud and call.headers.get("x-goog-api-key") != KEY:
            return _refuse_key
        model, verb = model_of(call)
        if model not in MODELS or verb not in _VERBS:
            return refuse(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta")
        try:
            return _VERBS[verb](call, model)
        except (_Refused, ValidationError) as error:
            return refuse(400, "INVALID_ARGUMENT", str(error))


def _generate(call: Call, model: str) -> Callable[[Handler, Call], None]:
    body = check(model, call.raw)
    return _BEHAVIOURS.get(model) or (lambda handler, _: handler.answer(200, whole(answer(model, body))))


def _stream(call: Call, model: str) -> Callable[[Handler, Call], None]:
    body = check(model, call.raw)
    if urlsplit(call.path).query != "alt=sse":
        return refuse(400, "INVALID_ARGUMENT", "this provider streams events only")
    return _BEHAVIOURS.get(model) or (lambda handler, call: _send(handler, call, chunks(answer(model, body))))


def _send(handler: Handler, call: Call, said: list[dict[str, Any]]) -> None:
    handler.begin_stream()
    for chunk in said:
        handler.piece(call, event(chunk))
    handler.wfile.write(b"0\r\n\r\n")


def _count(call: Call, model: str) -> Callable[[Handler, Call], None]:
    body = {"totalTokens": COUNTED, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": COUNTED}]}
    return lambda handler, _: handler.answer(200, json.dumps(body).encode())


def _embed(call: Call, model: str) -> Callable[[Handler, Call], None]:
    said = _Embeddings.model_validate_json(call.raw)
    if any(request.model != f"models/{model}" for request in said.requests):
        raise _Refused("model of the request and of the address differ")
    vectors = [{"values": VECTOR[: request.output_dimensionality or len(VECTOR)]} for request in said.requests]
    body = {"embeddings": vectors, "usageMetadata": {"promptTokenCount": 5}}
    return lambda handler, _: handler.answer(200, json.dumps(body).encode())


def _embed_one(call: Call, model: str) -> Callable[[Handler, Call], None]:
    said = _Single.model_validate_json(call.raw)
    if said.model not in {None, f"models/{model}"}:
        raise _Refused("model of the request and of the address differ")
    body = {"embedding": {"values": VECTOR[: said.output_dimensionality or len(VECTOR)]}}
    return lambda handler, _: handler.answer(200, json.dumps(body).encode())


def _predict(call: Call, model: str) -> Callable[[Handler, Call], None]:
    """Embeddings as Google's cloud has them."""
    said = _Predicted.model_validate_json(call.raw)
    size = said.parameters.output_dimensionality or len(VECTOR)
    held = {"values": VECTOR[:size], "statistics": {"token_count": 5, "truncated": False}}
    body = {"predictions": [{"embeddings": held} for _ in said.instances]}
    return lambda handler, _: handler.answer(200, json.dumps(body).encode())


_VERBS: dict[str, Callable[[Call, str], Callable[[Handler, Call], None]]] = {
    "generateContent": _generate,
    "streamGenerateContent": _stream,
    "countTokens": _count,
    "batchEmbedContents": _embed,
    "embedContent": _embed_one,
    "predict": _predict,
}


def refuse(code: int, status: str, text: str, **headers: str) -> Callable[[Handler, Call], None]:
    said = {"error": {"code": code, "message": text, "status": status, "details": []}}
    return lambda handler, _: handler.answer(code, json.dumps(said).encode(), **headers)


def _refuse_key(handler: Handler, call: Call) -> None:
    """A key that is none has the status of a wrong request."""
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    words = "API key not valid. Please pass a valid API key."
    said = {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT", "details": [reason]}}
    handler.answer(400, json.dumps(said).encode())


def _piece(text: str) -> dict[str, Any]:
    content = {"parts": [{"text": text}], "role": "model"}
    usage = {"promptTokenCount": 31, "totalTokenCount": 31}
    return {"candidates": [{"content": content, "index": 0}], "usageMetadata": usage, "modelVersion": "gemini"}


def _cut_after_ten(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for _ in range(10):
        handler.piece(call, event(_piece("x")))
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _ended_unsaid(handler: Handler, call: Call) -> None:
    _send(handler, call, [_piece("so far")])


def _error_within(handler: Handler, call: Call) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    _send(handler, call, [_piece("so far"), error])


def _blocked(handler: Handler, call: Call) -> None:
    feedback = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "Not this."}
    said = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 31, "totalTokenCount": 31}}
    if "stream" in call.path:
        _send(handler, call, [said])
    else:
        handler.answer(200, json.dumps(said).encode())


def _endless(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for number in range(200):
        handler.piece(call, event(_piece(f"{number} ")))
        time.sleep(0.02)
    handler.wfile.write(b"0\r\n\r\n")


_TOO_LONG = "The input token count (1048580) exceeds the maximum number of tokens allowed (1048576)."
_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "gemini-limited": refuse(429, "RESOURCE_EXHAUSTED", "Quota exceeded", retry_after="7"),
    "gemini-overloaded": refuse(503, "UNAVAILABLE", "The model is overloaded."),
    "gemini-too-short": refuse(400, "INVALID_ARGUMENT", _TOO_LONG),
    "gemini-cut": _cut_after_ten,
    "gemini-ended-unsaid": _ended_unsaid,
    "gemini-error-within": _error_within,
    "gemini-blocked": _blocked,
    "gemini-endless": _endless,
}
MODELS = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-embedding-001", *_BEHAVIOURS)


@contextmanager
def gemini_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
