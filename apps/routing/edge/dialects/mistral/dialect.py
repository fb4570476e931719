"""Mistral's own service: OpenAI's words but for a few."""

from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.embedding import EMBEDDINGS
from apps.routing.edge.dialects.mistral import conversations
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.reply import Failed
from apps.routing.edge.splice import joined, members_of

_FORMATS: Final = frozenset({"openai.embeddings", "openai.moderations", "openai.audio.transcriptions"})
"""What is alike. In chat the names of some members differ, and thoughts stand in the content."""


_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


class _Refusal(msgspec.Struct):
    message: Any = None
    detail: Any = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None

    @property
    def words(self) -> str:
        """What is wrong with a request is told as a list of places."""
        told = self.message.get("detail") if isinstance(self.message, dict) else self.detail or self.message
        if isinstance(told, list):
            return "; ".join(_place(entry) for entry in told if isinstance(entry, dict))
        return told if isinstance(told, str) else ""


_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


class Mistral(OpenAI):
    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, _FORMATS)

    def fitted(self, body: bytes, operation: str, ask: Ask) -> bytes:
        if operation != EMBEDDINGS:
            return body
        members = members_of(body)
        members.pop("user", None)
        if "dimensions" in members:
            members["output_dimension"] = members.pop("dimensions")
        return joined(members)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def read_refusal(self, status: int, body: bytes) -> Failed:
        try:
            found = _decode_refusal(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return super().read_refusal(status, body)
        if not found.words:
            return super().read_refusal(status, body)
        code = None if found.code is None else str(found.code)
        return Failed(found.words, found.type or _TYPES.get(status, "server_error"), code, found.param, status)


def _place(entry: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in entry.get("loc") or () if step != "body")
    return f"{where}: {entry.get('msg', '')}"
