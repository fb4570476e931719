"""A small provider that speaks Bedrock's Converse API, and refuses what the API refuses.

Signatures are made again by botocore's own signer, and requests are checked by botocore's own model of the service,
unknown members included; the rules beside them are those of its public documentation. What it does is decided by the
model it is asked for, and by what the request holds.
"""

import base64
import json
import re
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import get_session
from botocore.validate import ParamValidator

from tests.fakes.model_provider import CITIES, WORDS, Call, Handler, Provider, served

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BEARER = "bedrock-api-key-mock"
REGION = "eu-west-1"
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
OLD_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-v4:0"
USAGE = {
    "inputTokens": 8,
    "outputTokens": 7,
    "totalTokens": 38,
    "cacheReadInputTokens": 3,
    "cacheWriteInputTokens": 20,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 12}, {"ttl": "1h", "inputTokens": 8}],
}
SIGNATURE = "c2VhbGVkIGJ5IENsYXVkZQ=="
THOUGHT = "They greet me, so I greet them."
TEXT = "".join(WORDS)
VECTOR = [0.25, -0.5, 1.0, 0.125]
MODEL = get_session().get_service_model("bedrock-runtime")
_OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "invoke": "InvokeModel"}
_ADDRESS = re.compile(r"/model/(?P<model>[^/]+)/(?P<verb>converse|converse-stream|invoke)")
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})")


class _Refused(Exception):
    pass


def model_of(call: Call) -> tuple[str, str]:
    """Model and verb, which stand in the address."""
    found = _ADDRESS.fullmatch(call.path)
    return (unquote(found["model"]), found["verb"]) if found else ("", "")


def is_allowed(call: Call) -> bool:
    """By a Bedrock API key, or by the signature that AWS' own signer makes of the same call."""
    said = call.headers.get("authorization", "")
    found = _SIGNED.fullmatch(said)
    if found is None:
        return said == f"Bearer {BEARER}"
    names = found[2].split(";")
    headers = {name: call.headers[name] for name in names if name != "host"}
    request = AWSRequest("POST", f"http://{call.headers['host']}{call.path}", headers, call.raw)
    request.context["timestamp"] = call.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", REGION)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    everything = {"host", "content-type", "x-amz-date"} <= set(names)
    return everything and found[1] == signer.scope(request) and found[3] == expected


def check(model: str, body: dict[str, Any], verb: str = "converse") -> dict[str, Any]:
    """Raises for what Bedrock answers with a ValidationException."""
    shape = MODEL.operation_model(_OPERATIONS[verb]).input_shape
    params = {"modelId": model, **_decoded(shape, body, "")}
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise _Refused(report.generate_report())
    _check_turns(body)
    if "claude" in model:
        _check_thinking(body)
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    if not 0 <= body.get("inferenceConfig", {}).get("temperature", 0) <= 1:
        raise _Refused("Value at 'inferenceConfig.temperature' failed to satisfy constraint: 0..1")
    if "tool" in choice and choice["tool"]["name"] not in _tools(body):
        raise _Refused("Tool in toolChoice is not in tools.")
    if body.get("outputConfig", {}).get("textFormat"):
        json.loads(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    return body


def _decoded(shape: Any, held: Any, where: str) -> Any:
    """Bytes are base64 in JSON; a word that is none of those listed is refused, as only the service itself does."""
    if shape.type_name == "blob":
        return base64.b64decode(held, validate=True)
    if shape.type_name == "structure" and not shape.is_document_type and isinstance(held, dict):
        members = shape.members
        return {
            name: _decoded(members[name], value, f"{where}.{name}") if name in members else value
            for name, value in held.items()
        }
    if shape.type_name == "list" and isinstance(held, list):
        return [_decoded(shape.member, entry, f"{where}[{n}]") for n, entry in enumerate(held)]
    if shape.type_name == "string" and shape.enum and held not in shape.enum:
        raise _Refused(f"{where} must satisfy enum value set: {shape.enum}")
    return held


def _check_turns(body: dict[str, Any]) -> None:
    """Turns alternate, calls are answered in the very next one, nothing is blank, documents have names of their own."""
    waiting: list[str] = []
    roles = [message["role"] for message in body["messages"]]
    if roles[0] != "user" or any(one == other for one, other in pairwise(roles)):
        raise _Refused("A conversation must alternate between user and assistant roles.")
    for message in body["messages"]:
        content = message["content"]
        if not content or any("text" in block and not block["text"].strip() for block in content):
            raise _Refused("The text field in the ContentBlock object is blank.")
        results = [block["toolResult"]["toolUseId"] for block in content if "toolResult" in block]
        if results != waiting:
            raise _Refused("Expected toolResult blocks for the previous toolUse blocks.")
        waiting = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
        if (results or waiting) and "toolConfig" not in body:
            raise _Refused("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        if any(not re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", found) for found in results + waiting):
            raise _Refused("toolUseId failed to satisfy constraint")
        names = [block["document"]["name"] for block in content if "document" in block]
        if len(set(names)) != len(names) or any(re.search(r"[^a-zA-Z0-9\s()\[\]-]|\s\s", name) for name in names):
            raise _Refused("The document name is not allowed.")


def _check_thinking(body: dict[str, Any]) -> None:
    fields = body.get("additionalModelRequestFields", {})
    thinking = fields.get("thinking", {"type": "disabled"})
    limit = body.get("inferenceConfig", {}).get("maxTokens", 0)
    if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < limit:
        raise _Refused("`max_tokens` must be greater than `thinking.budget_tokens`")
    if thinking["type"] != "disabled" and body.get("toolConfig", {}).get("toolChoice", {"auto": {}}) != {"auto": {}}:
        raise _Refused("Thinking may not be enabled when tool_choice forces tool use.")
    thoughts = [block["reasoningContent"] for block in _blocks(body) if "reasoningContent" in block]
    if any(thought.get("reasoningText", {}).get("signature", SIGNATURE) != SIGNATURE for thought in thoughts):
        raise _Refused("Invalid `signature` in `thinking` block")


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for message in body["messages"] for block in message["content"]]


def _tools(body: dict[str, Any]) -> list[str]:
    tools = body.get("toolConfig", {}).get("tools", [])
    return [tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool]


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """What the request asks for: thoughts, calls, a shape, or words."""
    fields = body.get("additionalModelRequestFields", {})
    thinks = fields.get("thinking", fields.get("reasoningConfig", {})).get("type") in {"enabled", "adaptive"}
    content: list[dict[str, Any]] = []
    if thinks:
        content.append({"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": SIGNATURE}}})
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    has_results = any("toolResult" in block for block in _blocks(body))
    reason = "end_turn"
    if "tool" in choice:
        call = {"toolUseId": "tooluse_9", "name": choice["tool"]["name"], "input": {"city": "Cairo"}}
        content.append({"toolUse": call})
        reason = "tool_use"
    elif _tools(body) and not has_results:
        calls = [
            {"toolUseId": f"tooluse_{n}", "name": _tools(body)[0], "input": {"city": c}} for n, c in enumerate(CITIES)
        ]
        content += [{"toolUse": call} for call in calls]
        reason = "tool_use"
    elif body.get("outputConfig", {}).get("textFormat"):
        content.append({"text": '{"city": "Cairo"}'})
    else:
        content.append({"text": TEXT})
    found = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason, "usage": USAGE}
    if body.get("additionalModelResponseFieldPaths"):
        found |= {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    return found | {"metrics": {"latencyMs": 12}}


def whole(found: dict[str, Any]) -> bytes:
    """With whitespace and a member of its own, as real providers have."""
    return json.dumps(found | {"xVendor": {"a": 1}}, indent=1, ensure_ascii=False).encode() + b"\n"


def frame(payload: bytes, **headers: str) -> bytes:
    """One frame of AWS' event stream; `_` stands for `:` and `-` in the headers' names."""
    block = b""
    for name, value in {"content_type": "application/json", **headers}.items():
        key = f":{name.replace('_', '-')}".encode()
        block += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", len(block) + len(payload) + 16, len(block))
    said = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return said + struct.pack(">I", zlib.crc32(said))


def event(kind: str, **members: Any) -> bytes:
    """Filled up with nonsense letters of a length of its own, as Bedrock does."""
    members["p"] = "abcdefghijk"[: len(kind) % 11]
    return frame(json.dumps(members, ensure_ascii=False).encode(), event_type=kind, message_type="event")


def exception(kind: str, message: str) -> bytes:
    return frame(json.dumps({"message": message}).encode(), exception_type=kind, message_type="exception")


def stream(found: dict[str, Any]) -> list[bytes]:
    """The order of the public documentation; only what is no text has a beginning."""
    frames = [event("messageStart", role="assistant")]
    for index, block in enumerate(found["output"]["message"]["content"]):
        if "toolUse" in block:
            begun = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
            frames.append(event("contentBlockStart", contentBlockIndex=index, start={"toolUse": begun}))
        frames += [event("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in _deltas(block)]
        frames.append(event("contentBlockStop", contentBlockIndex=index))
    extra = {name: found[name] for name in ("additionalModelResponseFields",) if name in found}
    frames.append(event("messageStop", stopReason=found["stopReason"], **extra))
    return [*frames, event("metadata", usage=found["usage"], metrics=found["metrics"])]


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "toolUse" in block:
        text = json.dumps(block["toolUse"]["input"], ensure_ascii=False)
        yield from ({"toolUse": {"input": text[start : start + 5]}} for start in range(0, len(text), 5))
    elif "reasoningContent" in block:
        held = block["reasoningContent"]["reasoningText"]
        yield {"reasoningContent": {"text": held["text"]}}
        yield {"reasoningContent": {"signature": held["signature"]}}
    else:
        pieces = WORDS if block["text"] == TEXT else [block["text"][:4], block["text"][4:]]
        yield from ({"text": piece} for piece in pieces)


class _Handler(Handler):
    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if not is_allowed(call):
            return refuse(403, "InvalidSignatureException", "The request signature we calculated does not match.")
        model, verb = model_of(call)
        if model not in MODELS:
            return refuse(404, "ResourceNotFoundException", f"Could not resolve the foundation model: {model}")
        if verb == "invoke":
            return lambda handler, call: handler.answer(200, invoked(model, call.body))
        try:
            return _converse(check(model, call.body, verb), model, verb)
        except (_Refused, ValueError) as error:
            return refuse(400, "ValidationException", str(error))

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()


def _converse(body: dict[str, Any], model: str, verb: str) -> Callable[[Handler, Call], None]:
    if model in _BEHAVIOURS:
        return _BEHAVIOURS[model]
    if verb == "converse":
        return lambda handler, _: handler.answer(200, whole(answer(body)), x_amzn_requestid="req-1")
    return lambda handler, call: send(handler, call, stream(answer(body)))


def invoked(model: str, body: dict[str, Any]) -> bytes:
    if model == TITAN:
        size = body.get("dimensions", len(VECTOR))
        said = {"embedding": VECTOR[:size], "inputTextTokenCount": 5, "embeddingsByType": {"float": VECTOR[:size]}}
        assert set(body) <= {"inputText", "dimensions"}
        return json.dumps(said).encode()
    assert set(body) <= {"texts", "input_type", "output_dimension"}
    held = [VECTOR[: body.get("output_dimension", len(VECTOR))] for _ in body["texts"]]
    return json.dumps({"id": "e1", "texts": body["texts"], "embeddings": {"float": held}}).encode()


def send(handler: Handler, call: Call, frames: list[bytes]) -> None:
    handler.begin_stream()
    for said in frames:
        handler.piece(call, said)
    handler.wfile.write(b"0\r\n\r\n")


def refuse(status: int, kind: str, text: str, **headers: str) -> Callable[[Handler, Call], None]:
    body = json.dumps({"message": text}).encode()
    return lambda handler, _: handler.answer(status, body, x_amzn_errortype=f"{kind}:http://internal/", **headers)


def _said(text: str) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": text})


def _cut_after_ten(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for _ in range(10):
        handler.piece(call, _said("x"))
        handler.wfile.flush()
        time.sleep(0.005)
    handler.reset()


def _ended_unsaid(handler: Handler, call: Call) -> None:
    send(handler, call, [event("messageStart", role="assistant"), _said("so far")])


def _damaged(handler: Handler, call: Call) -> None:
    good = _said("so far")
    send(handler, call, [event("messageStart", role="assistant"), good, good[:-1] + bytes([good[-1] ^ 1])])


def _error_within(handler: Handler, call: Call) -> None:
    send(handler, call, [_said("so far"), exception("throttlingException", "Too many tokens today."), _said("never")])


def _endless(handler: Handler, call: Call) -> None:
    handler.begin_stream()
    for number in range(200):
        handler.piece(call, _said(f"{number} "))
        time.sleep(0.02)
    handler.wfile.write(b"0\r\n\r\n")


_BEHAVIOURS: dict[str, Callable[[Handler, Call], None]] = {
    "limited": refuse(429, "ThrottlingException", "Too many requests, please wait.", retry_after="7"),
    "overloaded": refuse(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    "model-error": refuse(424, "ModelErrorException", "The model failed."),
    "too-short": refuse(400, "ValidationException", "Input is too long for requested model."),
    "cut": _cut_after_ten,
    "ended-unsaid": _ended_unsaid,
    "damaged": _damaged,
    "error-within": _error_within,
    "endless": _endless,
}
MODELS = (CLAUDE, OLD_CLAUDE, NOVA, GPT, TITAN, COHERE, *_BEHAVIOURS)


@contextmanager
def bedrock_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
