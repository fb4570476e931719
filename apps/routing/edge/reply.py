"""What a model answers, in no provider's form: as events in the order they come, or whole."""

from typing import Any, Literal

import msgspec

from apps.routing.edge.conversation import Media
from apps.routing.edge.usage import Usage

Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "stop_sequence", "pause"]


class Begun(msgspec.Struct):
    """First of a stream, once."""

    id: str = ""
    model: str = ""


class TextPiece(msgspec.Struct):
    """`logprobs` is in OpenAI's form (a list of tokens), or None."""

    text: str
    choice: int = 0
    logprobs: list[Any] | None = None


class ThoughtPiece(msgspec.Struct):
    """Text, its seal, or reasoning that only its provider can read; each piece one of them."""

    text: str = ""
    signature: str = ""
    sealed: str = ""
    choice: int = 0


class RefusalPiece(msgspec.Struct):
    text: str
    choice: int = 0


class ToolBegun(msgspec.Struct):
    """`index` counts the tool calls of one choice from zero."""

    index: int
    id: str
    name: str
    choice: int = 0
    signature: str = ""


class ArgumentsPiece(msgspec.Struct):
    index: int
    text: str
    choice: int = 0


class MediaPiece(msgspec.Struct):
    """An image or sound the model made."""

    media: Media
    choice: int = 0


class Finished(msgspec.Struct):
    """One choice is complete. `stop_sequence` is the text that ended it, where the provider says so."""

    reason: Finish
    choice: int = 0
    stop_sequence: str = ""


class Used(msgspec.Struct):
    """What is known of the usage so far; a later one replaces an earlier one."""

    usage: Usage


class Failed(msgspec.Struct):
    """The provider's own words. Nothing comes after it."""

    message: str
    type: str = "server_error"
    code: str | None = None
    param: str | None = None
    status: int = 502


Event = (
    Begun | TextPiece | ThoughtPiece | RefusalPiece | ToolBegun | ArgumentsPiece | MediaPiece | Finished | Used | Failed
)


class WholeReply(msgspec.Struct):
    """A whole answer is its events in order, begun and used included; so every format is written in one way."""

    events: list[Event]
    created: int = 0
