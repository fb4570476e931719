"""Cohere's embeddings: several texts in one call, and a word of what they are for."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.cohere.wire import WireUsage
from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import COHERES, Text, Words
from apps.routing.edge.usage import Usage

USUAL: Final = "search_document"
"""Where the caller does not say what texts are for: most are kept to be found."""
_encode: Final = msgspec.json.encode


class _Typed(msgspec.Struct):
    vectors: Vectors = msgspec.field(name="float")


class _Reply(msgspec.Struct):
    embeddings: _Typed
    meta: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class CohereEmbedder:
    def words(self, model: str) -> Words:
        return COHERES

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        body: dict[str, Any] = {
            "model": model,
            "texts": [text.text for text in texts],
            "input_type": texts[0].purpose or USUAL,
            "embedding_types": ["float"],
        }
        return _encode(body | ({} if dimensions is None else {"output_dimension": dimensions}))

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        reply = _decode(body)
        return reply.embeddings.vectors, reply.meta.buckets() if reply.meta is not None else None
