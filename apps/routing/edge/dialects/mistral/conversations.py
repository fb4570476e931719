"""Conversations, written as requests of Mistral's chat: OpenAI's words but for a few, and nothing that is not known."""

import hashlib
import re
from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.openai.requests import written_members
from apps.routing.edge.dialects.speech import Missing

_encode: Final = msgspec.json.encode
_RENAMED: Final = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
# Callers of other formats who know whom they speak to say these in Mistral's own words.
_NATIVE: Final = frozenset(
    {
        "guardrails",
        "min_tokens",
        "prediction",
        "prompt_cache_key",
        "prompt_mode",
        "random_seed",
        "repetition_penalty",
        "safe_prompt",
    }
)
# Hints to a cache that Mistral's does not know, and to who looks after the users.
_IDLE: Final = frozenset({"prompt_cache_retention", "safety_identifier", "cache_control"})
_TIERS: Final = {"auto": "auto", "default": "standard_only"}
_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")
_ANY_OBJECT: Final = {"type": "object", "properties": {}}


def write_request(conversation: Conversation, model: str, *, title: str) -> bytes:
    """Raises CannotExpress."""
    missing = Missing(conversation, title)
    body = written_members(conversation, model, missing)
    for name, value in conversation.rest.items():
        if name in _NATIVE:
            body[name] = value
        elif name not in _IDLE and (name, bytes(value)) != ("store", b"false"):
            missing.note(name)
    for message in body["messages"]:
        _fit_message(message)
    _fit_tools(body)
    _fit_wishes(body, missing)
    return _encode({_RENAMED.get(name, name): value for name, value in body.items()})


def call_id(given: str) -> str:
    """Nine letters and digits are all that Mistral takes; the same id becomes the same everywhere."""
    return given if _ID.fullmatch(given) else hashlib.sha256(given.encode()).hexdigest()[:9]


def _fit_message(message: dict[str, Any]) -> None:
    if "tool_call_id" in message:
        message["tool_call_id"] = call_id(message["tool_call_id"])
    for call in message.get("tool_calls", ()):
        call["id"] = call_id(call["id"])
    if isinstance(message.get("content"), list):
        message["content"] = [_fitted(part) for part in message["content"]]


def _fitted(part: dict[str, Any]) -> dict[str, Any]:
    """Sound is bare base64, a file is a document at an address, its data among them."""
    if part["type"] == "input_audio":
        return {"type": "input_audio", "input_audio": part["input_audio"]["data"]}
    if part["type"] != "file":
        return part
    file = part["file"]
    if "file_id" in file:
        return {"type": "file", "file_id": file["file_id"]}
    named = {"document_name": file["filename"]} if "filename" in file else {}
    return {"type": "document_url", "document_url": file["file_data"], **named}


def _fit_tools(body: dict[str, Any]) -> None:
    for tool in body.get("tools", ()):
        tool["function"].setdefault("parameters", _ANY_OBJECT)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        names = {entry["function"]["name"] for entry in choice["allowed_tools"]["tools"]}
        body["tools"] = [tool for tool in body["tools"] if tool["function"]["name"] in names]
        body["tool_choice"] = "any"


def _fit_wishes(body: dict[str, Any], missing: Missing) -> None:
    """Usage is told unasked. Whose call it is stays with us: Mistral has no place for it, and answers the same."""
    body.pop("stream_options", None)
    body.pop("user", None)
    tier = body.pop("service_tier", "")
    if tier in _TIERS:
        body["service_tier"] = _TIERS[tier]
    elif tier:
        missing.note("service_tier")
    if body.pop("modalities", ["text"]) != ["text"]:
        missing.note("modalities")
    if bytes(body.pop("logit_bias", b"")) not in {b"", b"null", b"{}"}:
        missing.note("logit_bias")
