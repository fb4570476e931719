"""The dialects by name."""

from typing import Final

from apps.routing.edge.dialects.anthropic.dialect import Anthropic
from apps.routing.edge.dialects.bedrock.dialect import Bedrock
from apps.routing.edge.dialects.gemini.dialect import Gemini
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.dialects.speech import Dialect
from apps.routing.edge.dialects.vertex.dialect import Vertex

COMPATIBLE: Final = OpenAI("openai-compatible", "an OpenAI-compatible service")
_ALL: Final[tuple[Dialect, ...]] = (
    COMPATIBLE,
    OpenAI("openai", "OpenAI"),
    OpenAI("echo", "the echo provider", frozenset({"openai.chat"})),
    Anthropic("anthropic", "Anthropic"),
    Gemini("gemini", "Gemini"),
    Vertex("vertex", "Vertex AI"),
    Bedrock("bedrock", "Amazon Bedrock"),
)
DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in _ALL}


def dialect_of(name: str) -> Dialect:
    """An older process that reads a newer book knows fewer names; most providers speak OpenAI's."""
    return DIALECTS.get(name, COMPATIBLE)
