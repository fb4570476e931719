"""The dialects by name."""

from typing import Final

from apps.routing.edge.dialects.anthropic.dialect import Anthropic
from apps.routing.edge.dialects.azure.dialect import Azure
from apps.routing.edge.dialects.bedrock.dialect import Bedrock
from apps.routing.edge.dialects.cohere.dialect import Cohere
from apps.routing.edge.dialects.gemini.dialect import Gemini
from apps.routing.edge.dialects.huggingface.dialect import HuggingFace
from apps.routing.edge.dialects.mistral.dialect import Mistral
from apps.routing.edge.dialects.ollama.dialect import Ollama
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.dialects.replicate.dialect import Replicate
from apps.routing.edge.dialects.speech import Dialect
from apps.routing.edge.dialects.vertex.claude import ClaudeOnVertex, is_claude
from apps.routing.edge.dialects.vertex.dialect import Vertex

_VERTEX: Final = "vertex"
COMPATIBLE: Final = OpenAI("openai-compatible", "an OpenAI-compatible service")
_ALL: Final[tuple[Dialect, ...]] = (
    COMPATIBLE,
    OpenAI("openai", "OpenAI"),
    OpenAI("echo", "the echo provider", frozenset({"openai.chat"})),
    Azure("azure", "Azure OpenAI"),
    Anthropic("anthropic", "Anthropic"),
    Gemini("gemini", "Gemini"),
    Vertex(_VERTEX, "Vertex AI"),
    Bedrock("bedrock", "Amazon Bedrock"),
    Cohere("cohere", "Cohere"),
    Mistral("mistral", "Mistral"),
    Ollama("ollama", "Ollama"),
    HuggingFace("huggingface", "Hugging Face"),
    Replicate("replicate", "Replicate"),
)
_CLAUDE_THERE: Final = ClaudeOnVertex(_VERTEX, "Claude on Vertex AI")
DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in _ALL}


def dialect_of(name: str, model: str = "") -> Dialect:
    """An older process that reads a newer book knows fewer names; most providers speak OpenAI's.

    Where models of several makers are at one place, each is spoken to in the words of its maker.
    """
    if name == _VERTEX and is_claude(model):
        return _CLAUDE_THERE
    return DIALECTS.get(name, COMPATIBLE)
