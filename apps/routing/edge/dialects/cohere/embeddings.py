"""Cohere's embeddings: several texts in one call, and a word of what they are for."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.cohere.wire import WireUsage
from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.encode


class _Typed(msgspec.Struct):
    vectors: Vectors = msgspec.field(name="float")


class _Reply(msgspec.Struct):
    embeddings: _Typed
    meta: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class CohereEmbedder:
    def write(self, texts: list[str], dimensions: int | None, model: str) -> bytes:
        """OpenAI's form does not say what the texts are for; those that are kept to be found are the usual ones."""
        body: dict[str, Any] = {
            "model": model,
            "texts": texts,
            "input_type": "search_document",
            "embedding_types": ["float"],
        }
        return _encode(body | ({} if dimensions is None else {"output_dimension": dimensions}))

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        reply = _decode(body)
        return reply.embeddings.vectors, reply.meta.buckets() if reply.meta is not None else None
