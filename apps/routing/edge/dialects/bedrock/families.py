"""What each family of models on Bedrock takes, read from its name.

Sources, looked up 2026-11-27, docs.aws.amazon.com/bedrock and /nova: "Prompt caching", "Get validated JSON results from
models", "ToolResultBlock", "Using the Converse API" of Nova 2 (reasoning, topK).
"""

from functools import lru_cache
from typing import Final, Literal

import msgspec

from apps.routing.edge.dialects.anthropic.generations import Generation, generation_of

_SHAPED: Final = (
    "deepseek.v3",
    "gemma-3",
    "gpt-oss",
    "kimi",
    "magistral",
    "minimax",
    "ministral",
    "mistral-large-3",
    "nemotron",
    "qwen3",
    "voxtral",
)


class Family(msgspec.Struct, frozen=True):
    """`keeps` is what may end with a mark of the cache, `kept_for` for how long."""

    name: Literal["claude", "nova", "gpt-oss", ""] = ""
    claude: Generation | None = None
    takes_schema: bool = False
    keeps: frozenset[str] = frozenset()
    kept_for: frozenset[str] = frozenset()
    hears_of_failed_tools: bool = False


_EVERYWHERE: Final = frozenset({"messages", "system", "tools"})


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """Of a profile or a deployment whose name tells nothing, only what all models take is known."""
    if "claude" in model:
        generation = generation_of(model)
        ages = frozenset({"5m", "1h"} if generation.takes_schema else {"5m"})
        return Family("claude", generation, generation.takes_schema, _EVERYWHERE, ages, hears_of_failed_tools=True)
    if "amazon.nova" in model:
        return Family("nova", None, False, _EVERYWHERE - {"tools"}, frozenset({"5m"}), hears_of_failed_tools=True)
    return Family("gpt-oss" if "gpt-oss" in model else "", None, any(word in model for word in _SHAPED))
