"""What is said to a model, in no provider's form: what every wire format can be read into and written from.

Read when a caller's format and a provider's dialect differ; where they are the same, bytes pass unread.
"""

from typing import Any, Final, Literal

import msgspec

Role = Literal["user", "assistant"]
Kind = Literal["image", "audio", "video", "file"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

NO_JSON: Final = msgspec.Raw(b"")


class Text(msgspec.Struct):
    """`cache_ttl`, here and below, marks the end of what the provider is asked to keep: "5m", "1h" or empty."""

    text: str
    cache_ttl: str = ""


class Media(msgspec.Struct):
    """Inside the request as base64 in `data`, or at a `url`, or kept at the provider under `file_id`."""

    kind: Kind
    mime: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    name: str = ""
    detail: str = ""
    cache_ttl: str = ""


class Thought(msgspec.Struct):
    """Reasoning of an earlier answer. `signature` is the provider's seal; `sealed` is reasoning only it can read."""

    text: str = ""
    signature: str = ""
    sealed: str = ""


class ToolCall(msgspec.Struct):
    """`arguments` is JSON text as the model wrote it, which may be empty or broken."""

    id: str
    name: str
    arguments: str
    signature: str = ""
    cache_ttl: str = ""


class ToolResult(msgspec.Struct):
    call_id: str
    name: str
    parts: list["Text | Media"]
    is_error: bool = False
    cache_ttl: str = ""


Part = Text | Media | Thought | ToolCall | ToolResult


class Turn(msgspec.Struct):
    role: Role
    parts: list[Part]


class Tool(msgspec.Struct):
    """`schema` is JSON Schema as the caller wrote it; empty means no parameters."""

    name: str
    description: str = ""
    schema: msgspec.Raw = NO_JSON
    is_strict: bool | None = None
    cache_ttl: str = ""


class ToolChoice(msgspec.Struct):
    """`named` holds one tool to be used, or several that may be.

    `is_held`: the caller's format itself lets no second call through, where a provider cannot be told so.
    """

    mode: Literal["auto", "none", "required", "named"] = "auto"
    names: list[str] = []
    is_parallel: bool | None = None
    is_held: bool = False


class Shape(msgspec.Struct):
    """How the answer must look: any JSON object, or one that a JSON Schema describes."""

    kind: Literal["object", "schema"]
    name: str = ""
    description: str = ""
    schema: msgspec.Raw = NO_JSON
    is_strict: bool | None = None


class Reasoning(msgspec.Struct):
    """How much to think: by a word, by a number of tokens, or not at all. `shows` asks for the thoughts' text."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    shows: bool | None = None


class Sampling(msgspec.Struct):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: list[str] = []
    logit_bias: msgspec.Raw = NO_JSON


class Conversation(msgspec.Struct):
    """`rest` holds, by its name in the caller's format, every member that has no place here.

    What a dialect cannot express, `rest` included, is refused by name, or left out where the caller allows it.
    """

    turns: list[Turn]
    system: list[Text] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    sampling: Sampling = msgspec.field(default_factory=Sampling)
    max_output: int | None = None
    count: int = 1
    """How many answers are asked for."""
    shape: Shape | None = None
    reasoning: Reasoning | None = None
    top_logprobs: int | None = None
    """None: no log probabilities; 0: of the chosen tokens alone."""
    modalities: list[str] = []
    user: str = ""
    metadata: dict[str, Any] = {}
    service_tier: str = ""
    is_stream: bool = False
    drops_unsupported: bool = False
    rest: dict[str, msgspec.Raw] = {}
