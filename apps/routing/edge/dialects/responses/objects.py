"""The Response object: what it repeats of the request, and the items of its output."""

import time
from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.dialects.responses.names import ADDITIONAL, FOUND, Own, word
from apps.routing.edge.reply import Failed
from brokle.kernel.ids import new_id

_decode: Final = msgspec.json.decode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
# What an answer repeats, and what stands there where nothing was said.
_REPEATED: Final[dict[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_BRINGING: Final = (ADDITIONAL, FOUND)
_FUNCTION: Final = {"description": None, "parameters": None, "strict": None}
# The only codes that OpenAI's types know for an answer that failed.
_CODES: Final = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt"})


def head_of(ask: Ask) -> dict[str, Any]:
    """An answer under way. It is not stored: only OpenAI keeps answers."""
    said = _members(ask.body)
    repeated = {n: usual if bytes(said.get(n, b"null")) == b"null" else said[n] for n, usual in _REPEATED.items()}
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": ask.model,
        "output": [],
        "store": False,
        **repeated,
        "tools": [_tool(entry) for entry in tools_in(said)],
        "usage": None,
    }


def tools_in(said: dict[str, msgspec.Raw]) -> list[Any]:
    return _decode(said.get("tools", b"[]")) or []


def brought_in(said: dict[str, msgspec.Raw]) -> list[Any]:
    """Tools that stand among the items."""
    raw = bytes(said.get("input", b""))
    items = _decode(raw) if any(kind.encode() in raw for kind in _BRINGING) else []
    if not isinstance(items, list):
        return []
    return [tool for item in items if word(item, "type") in _BRINGING for tool in item["tools"]]


def _tool(entry: Any) -> Any:
    return {**_FUNCTION, **entry} if isinstance(entry, dict) and entry.get("type") == "function" else entry


def error_of(failure: Failed) -> dict[str, Any]:
    return {"code": failure.code if failure.code in _CODES else "server_error", "message": failure.message}


def message_item() -> dict[str, Any]:
    return {"id": new_id("msg"), "type": "message", "status": "in_progress", "role": "assistant", "content": []}


def reasoning_item() -> dict[str, Any]:
    return {"id": new_id("rs"), "type": "reasoning", "summary": [], "status": "in_progress"}


def call_item(call_id: str, own: Own) -> dict[str, Any]:
    whose = call_id or new_id("call")
    if own.is_search:
        called = {"call_id": whose, "execution": "client", "status": "in_progress", "arguments": {}}
        return {"id": new_id("tsc"), "type": "tool_search_call", **called}
    about = {"call_id": whose, "name": own.name, "status": "in_progress"}
    if own.namespace:
        about["namespace"] = own.namespace
    if own.is_custom:
        return {"id": new_id("ctc"), "type": "custom_tool_call", **about, "input": ""}
    return {"id": new_id("fc"), "type": "function_call", **about, "arguments": ""}


def picture_item(data: str, mime: str) -> dict[str, Any]:
    form = mime.partition("/")[2]
    kind = {"output_format": form} if form in {"png", "webp", "jpeg", "gif"} else {}
    return {"id": new_id("ig"), "type": "image_generation_call", "status": "completed", "result": data, **kind}


def text_part() -> dict[str, Any]:
    return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def refusal_part() -> dict[str, Any]:
    return {"type": "refusal", "refusal": ""}


def wish_of(arguments: str) -> dict[str, Any]:
    """What a search for tools is given; an object, also where the model wrote none."""
    try:
        held = _decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        held = None
    return held if isinstance(held, dict) else {"query": arguments}


def free_text(arguments: str) -> str:
    """What a tool that takes free text was given, by a model that knows functions only."""
    try:
        held = _decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return arguments
    found = held.get("input") if isinstance(held, dict) else None
    return found if isinstance(found, str) else arguments
