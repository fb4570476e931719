"""Ollama's embeddings: several texts in one call."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import SILENT, Text, Words
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.encode


class _Reply(msgspec.Struct):
    embeddings: Vectors
    prompt_eval_count: int | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class OllamaEmbedder:
    def words(self, model: str) -> Words:
        return SILENT

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        body: dict[str, Any] = {"model": model, "input": [text.text for text in texts]}
        return _encode(body | ({} if dimensions is None else {"dimensions": dimensions}))

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        reply = _decode(body)
        counted = reply.prompt_eval_count
        return reply.embeddings, None if counted is None else Usage(input=counted)
