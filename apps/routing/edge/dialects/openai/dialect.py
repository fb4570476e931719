"""OpenAI's own service, and the many that understand the same words."""

from typing import Final

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.openai import replies, requests
from apps.routing.edge.dialects.openai.streams import ChatReader
from apps.routing.edge.dialects.openai.wire import refusal_of
from apps.routing.edge.dialects.speech import CHAT, Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply

PATHS: Final = {
    CHAT: "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "images.generations": "/images/generations",
    "images.edits": "/images/edits",
    "audio.speech": "/audio/speech",
    "audio.transcriptions": "/audio/transcriptions",
    "audio.translations": "/audio/translations",
    "moderations": "/moderations",
    "rerank": "/rerank",
    "responses": "/responses",
}
FORMATS: Final = frozenset({"openai.chat"} | {f"openai.{operation}" for operation in PATHS})


class OpenAI(Usual):
    def __init__(self, name: str, title: str, formats: frozenset[str] = FORMATS) -> None:
        self.name = name
        self.title = title
        self._formats = formats

    def speaks(self, format_name: str) -> bool:
        return format_name in self._formats

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        return base_url + PATHS[operation]

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return key_headers(options.get("auth", ""), secret)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return requests.write_request(conversation, model, title=self.title)

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return ChatReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)
