"""Gemini in Google's cloud: the same words, at the address of a project, with a token in place of a key."""

from urllib.parse import quote

from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.gemini import conversations
from apps.routing.edge.dialects.gemini.dialect import Gemini, verb_of
from apps.routing.edge.dialects.gemini.generate import GENERATE
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.dialects.vertex.embeddings import VertexEmbedder
from apps.routing.edge.dialects.vertex.places import place_in_cloud, token_headers
from apps.routing.edge.dialects.vertex.tokens import find_account
from brokle.edge.egress import EgressClient


class Vertex(Gemini):
    def speaks(self, format_name: str) -> bool:
        """Tokens are counted in another form there."""
        return format_name == GENERATE

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        publisher, _, name = model.rpartition("/")
        held = f"publishers/{quote(publisher or 'google', safe='')}/models/{quote(name, safe='')}"
        verb = "predict" if operation == EMBEDDINGS else verb_of(operation, is_stream=is_stream)
        return f"{place_in_cloud(base_url, options)}/{held}:{verb}"

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return token_headers(secret)

    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        account = find_account(secret)
        return None if account is None else Tokens(account, egress)

    def embedder(self) -> Embedder | None:
        return VertexEmbedder()

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return conversations.write_request(conversation, model, title=self.title, is_in_cloud=True)
