"""`POST /v1/messages/count_tokens`: asked of who knows it, else estimated without a tokenizer."""

from typing import Final

import msgspec

from apps.routing.edge.conversation import Conversation, Media, Part, Text, Thought, ToolCall

ESTIMATED: Final = (b"x-brokle-estimated", b"true")
_PICTURE: Final = 1600
"""As large as Anthropic counts a picture at most."""
_TURN: Final = 4
_BYTES_PER_PAGE: Final = 60_000
_PAGE: Final = 2000


def estimate(conversation: Conversation) -> bytes:
    return msgspec.json.encode({"input_tokens": tokens_in(conversation)})


def tokens_in(conversation: Conversation) -> int:
    tokens = sum(_TURN + sum(_of(part) for part in turn.parts) for turn in conversation.turns)
    tokens += sum(_of(text) for text in conversation.system)
    for tool in conversation.tools:
        tokens += _TURN + tokens_of(tool.name) + tokens_of(tool.description) + tokens_of(bytes(tool.schema).decode())
    return max(1, tokens)


def tokens_of(text: str) -> int:
    """Four letters a token where a letter is a byte, two where it is more: so in Arabic, Greek, Chinese."""
    plain = sum(sign.isascii() for sign in text)
    return -(-plain // 4) + -(-(len(text) - plain) // 2)


def _of(part: Part) -> int:
    if isinstance(part, Text):
        return tokens_of(part.text)
    if isinstance(part, Thought):
        return tokens_of(part.text)
    if isinstance(part, ToolCall):
        return tokens_of(part.name) + tokens_of(part.arguments)
    if isinstance(part, Media):
        return _PICTURE if part.kind == "image" else _PAGE * max(1, -(-len(part.data) // _BYTES_PER_PAGE))
    return sum(_of(held) for held in part.parts)
