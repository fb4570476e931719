"""Replicate: a call is a prediction, which is asked about until it is over."""

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.pictures import Painter
from apps.routing.edge.dialects.replicate import conversations, replies
from apps.routing.edge.dialects.replicate.pictures import PredictionPainter
from apps.routing.edge.dialects.replicate.places import place_of
from apps.routing.edge.dialects.replicate.wire import refusal_of
from apps.routing.edge.dialects.speech import Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply


class Replicate(Usual):
    lacks = frozenset({"tools", "structured-output", "audio-input", "audio-output", "pdf-input", "video-input"})

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def speaks(self, format_name: str) -> bool:
        return False

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        return place_of(base_url, model)

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return key_headers(options.get("auth", ""), secret)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def painter(self) -> Painter | None:
        return PredictionPainter(self.title)

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return replies.PredictionReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)
