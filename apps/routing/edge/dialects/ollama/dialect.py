"""Ollama in its own words, which say more than those of OpenAI that it understands too."""

from typing import Final

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.ollama import conversations, replies
from apps.routing.edge.dialects.ollama.embeddings import OllamaEmbedder
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.dialects.speech import CHAT, Reader
from apps.routing.edge.reply import Failed, WholeReply

PATHS: Final = {CHAT: "/api/chat", EMBEDDINGS: "/api/embed", "completions": "/v1/completions"}
_FORMATS: Final = frozenset({"openai.completions"})
_TYPES: Final = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}


class Ollama(OpenAI):
    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, _FORMATS)

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Others' clients are given the address with the version of OpenAI's words."""
        return base_url.removesuffix("/v1").removesuffix("/api") + PATHS[operation]

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def embedder(self) -> Embedder | None:
        return OllamaEmbedder()

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return replies.Lines()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        """A refusal is a sentence without a type."""
        failure = super().read_refusal(status, body)
        if failure.type == "upstream_error":
            failure.type = _TYPES.get(status, "server_error")
        return failure
