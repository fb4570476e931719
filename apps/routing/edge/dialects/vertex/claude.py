"""Claude in Google's cloud: Anthropic's words at Google's addresses, with Google's tokens.

The model stands in the address alone, the edition in the body: Anthropic's "Claude on Vertex AI".
"""

from typing import Final
from urllib.parse import quote

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.anthropic.dialect import VERSION, Anthropic
from apps.routing.edge.dialects.anthropic.messages import CountFormat
from apps.routing.edge.dialects.anthropic.wire import find_reply
from apps.routing.edge.dialects.gemini.wire import refusal_of as googles_refusal_of
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.dialects.vertex.places import place_in_cloud, token_headers
from apps.routing.edge.dialects.vertex.tokens import find_account
from apps.routing.edge.reply import Failed
from apps.routing.edge.splice import joined, members_of
from brokle.edge.egress import EgressClient

_EDITION: Final = "vertex-2023-10-16"
"""What the first edition is called there; later ones are called by their day as everywhere."""
_COUNTER: Final = "count-tokens"
_raw: Final = msgspec.json.Encoder().encode


def is_claude(model: str) -> bool:
    """By its name, in which publishers may stand before it."""
    return model.rpartition("/")[2].startswith("claude")


class ClaudeOnVertex(Anthropic):
    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        name = _COUNTER if operation == CountFormat.operation else quote(model.rpartition("/")[2], safe="@")
        verb = "streamRawPredict" if is_stream else "rawPredict"
        return f"{place_in_cloud(base_url, options)}/publishers/anthropic/models/{name}:{verb}"

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        return token_headers(secret)

    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        account = find_account(secret)
        return None if account is None else Tokens(account, egress)

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        return _fitted(super().write_request(conversation, model.rpartition("/")[2]), _EDITION)

    def fitted(self, body: bytes, operation: str, ask: Ask) -> bytes:
        told = dict(ask.headers).get("anthropic-version", VERSION)
        edition = _EDITION if told == VERSION else told
        return _fitted(body, edition, is_counted=operation == CountFormat.operation)

    def read_refusal(self, status: int, body: bytes) -> Failed:
        """Google stands before Claude, and refuses in its own form."""
        reply = find_reply(body)
        is_claudes = reply is not None and reply.type == "error"
        return super().read_refusal(status, body) if is_claudes else googles_refusal_of(status, body)


def _fitted(body: bytes, edition: str, *, is_counted: bool = False) -> bytes:
    """A caller who names the edition there itself is heard. Who only counts has the model in the body."""
    members = members_of(body)
    if is_counted:
        members["model"] = msgspec.Raw(_raw(msgspec.json.decode(members["model"], type=str).rpartition("/")[2]))
    else:
        members.pop("model", None)
    members.setdefault("anthropic_version", msgspec.Raw(_raw(edition)))
    return joined(members)
