"""Google's own service."""

from typing import Final
from urllib.parse import quote

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.gemini import conversations, replies
from apps.routing.edge.dialects.gemini.embed import BATCH_EMBED, EMBED, MANY, ONE
from apps.routing.edge.dialects.gemini.embeddings import GeminiEmbedder
from apps.routing.edge.dialects.gemini.generate import COUNT, GENERATE, CountFormat, GenerateFormat
from apps.routing.edge.dialects.gemini.streams import GenerateReader
from apps.routing.edge.dialects.gemini.wire import refusal_of
from apps.routing.edge.dialects.speech import CHAT, Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply

VERBS: Final = {
    CHAT: "generateContent",
    GenerateFormat.operation: "generateContent",
    CountFormat.operation: "countTokens",
    EMBEDDINGS: MANY,
    MANY: MANY,
    ONE: ONE,
}
_FORMATS: Final = frozenset({GENERATE, COUNT, EMBED, BATCH_EMBED})
_VERSIONS: Final = ("/v1beta", "/v1")


class Gemini(Usual):
    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def speaks(self, format_name: str) -> bool:
        return format_name in _FORMATS

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Google's SDKs are given the address without the version, others with it."""
        base = base_url if base_url.endswith(_VERSIONS) else f"{base_url}/v1beta"
        return f"{base}/{place_of(model)}:{verb_of(operation, is_stream=is_stream)}"

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return key_headers(options.get("auth") or "x-goog-api-key", secret)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def embedder(self) -> Embedder | None:
        return GeminiEmbedder()

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return GenerateReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)


def place_of(model: str) -> str:
    """A model's name as it stands in the address; tuned ones live in a folder of their own."""
    named = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    return quote(named, safe="/")


def verb_of(operation: str, *, is_stream: bool) -> str:
    return "streamGenerateContent?alt=sse" if is_stream else VERBS[operation]
