"""Cohere's own service, second edition."""

from typing import Final

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.cohere import conversations, replies
from apps.routing.edge.dialects.cohere.embeddings import CohereEmbedder
from apps.routing.edge.dialects.cohere.streams import ChatReader
from apps.routing.edge.dialects.cohere.wire import refusal_of
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.speech import CHAT, Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply

PATHS: Final = {CHAT: "/v2/chat", EMBEDDINGS: "/v2/embed", "rerank": "/v2/rerank"}
_FORMATS: Final = frozenset({"openai.rerank"})
"""What we call OpenAI's there is Cohere's own."""


class Cohere(Usual):
    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def speaks(self, format_name: str) -> bool:
        return format_name in _FORMATS

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Cohere's SDKs are given the address without the edition, others with it."""
        return base_url.removesuffix("/v1").removesuffix("/v2") + PATHS[operation]

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return key_headers(options.get("auth", ""), secret)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def embedder(self) -> Embedder | None:
        return CohereEmbedder()

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return ChatReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)
