"""Anthropic's own service, and those that understand the same words."""

from typing import Final

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.anthropic import conversations, replies
from apps.routing.edge.dialects.anthropic.messages import COUNT, MESSAGES, CountFormat, MessagesFormat
from apps.routing.edge.dialects.anthropic.streams import MessagesReader
from apps.routing.edge.dialects.anthropic.wire import refusal_of
from apps.routing.edge.dialects.speech import CHAT, Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply

VERSION: Final = "2023-06-01"
"""The edition in which we write: later ones take no sampling at all. A caller who speaks Anthropic names its own."""
PATHS: Final = {
    CHAT: "/messages",
    MessagesFormat.operation: "/messages",
    CountFormat.operation: "/messages/count_tokens",
}
_FORMATS: Final = frozenset({MESSAGES, COUNT})


class Anthropic(Usual):
    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def speaks(self, format_name: str) -> bool:
        return format_name in _FORMATS

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Anthropic's SDKs are given the address without the version, other gateways with it."""
        return base_url.removesuffix("/v1") + "/v1" + PATHS[operation]

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        edition = {"anthropic-version": options.get("anthropic_version", VERSION)}
        return {"x-api-key": secret, **edition} if secret else edition

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return MessagesReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)
