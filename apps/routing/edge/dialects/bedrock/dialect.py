"""Amazon Bedrock: all its models by its Converse API, each call signed or with a Bedrock API key."""

from typing import Final
from urllib.parse import quote

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.bedrock import conversations, replies
from apps.routing.edge.dialects.bedrock.embeddings import InvokeEmbedder
from apps.routing.edge.dialects.bedrock.signature import Keys, Signature, find_keys
from apps.routing.edge.dialects.bedrock.streams import ConverseReader
from apps.routing.edge.dialects.bedrock.wire import refusal_of
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.dialects.speech import Reader
from apps.routing.edge.dialects.usual import Usual
from apps.routing.edge.reply import Failed, WholeReply
from brokle.edge.egress import EgressClient

_STREAMED: Final = "converse-stream"


class Bedrock(Usual):
    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def speaks(self, format_name: str) -> bool:
        return False

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """A model's name may be an address in AWS' own form, with slashes that are none of this one."""
        verb = "invoke" if operation == EMBEDDINGS else _STREAMED if is_stream else "converse"
        return f"{base_url}/model/{quote(model, safe='')}/{verb}"

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return {} if _keys(secret, options) is not None else key_headers("bearer", secret)

    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        keys = _keys(secret, options)
        return None if keys is None else Signature(keys, options.get("region", ""))

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title)

    def embedder(self) -> Embedder | None:
        return InvokeEmbedder()

    def read_whole(self, body: bytes) -> WholeReply:
        return replies.read_whole(body)

    def reader(self) -> Reader:
        return ConverseReader()

    def read_refusal(self, status: int, body: bytes) -> Failed:
        return refusal_of(status, body)


def _keys(secret: str, options: dict[str, str]) -> Keys | None:
    return find_keys(secret, options.get("access_key_id", ""))
